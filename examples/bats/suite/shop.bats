# SHOP_CASE asks for what happens: green, red, or a test that never ends.

@test "a basket \"of two\" is added up" {
  [ "$((3 + 4))" -eq 7 ]
}

@test "needs a cluster" {
  skip "needs a cluster"
}

@test "a discount of 10 % is given" {
  echo "what the test printed"
  [ "$SHOP_CASE" != red ]
}
