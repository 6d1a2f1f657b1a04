package com.example.shop;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.abort;

import org.junit.jupiter.api.Disabled;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BasketTest {
    /** What SHOP_CASE asks for: green, red, or a test that never ends. */
    private static final String MODE = System.getenv("SHOP_CASE");

    @ParameterizedTest
    @ValueSource(ints = {7, 100})
    void addsUp(int price) {
        assertEquals(2 * price, Basket.total(price, price));
    }

    @Test
    void needsACluster() {
        abort("needs a cluster");
    }

    @Test
    @Disabled("not yet")
    void takesVouchers() {}

    @Test
    void givesADiscount() {
        assertEquals("red".equals(MODE) ? 90 : 100, Basket.total(100));
    }

    @Test
    void readsPrices() {
        Integer.parseInt("red".equals(MODE) ? "seven" : "7");
    }
}
