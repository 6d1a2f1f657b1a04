package com.example.shop;

import org.junit.jupiter.api.Test;

class TillTest {
    @Test
    void opens() throws InterruptedException {
        if ("hang".equals(System.getenv("SHOP_CASE"))) {
            Thread.sleep(3_600_000);
        }
    }
}
