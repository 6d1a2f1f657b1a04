@test "the till opens" {
  if [ "$SHOP_CASE" = hang ]; then sleep 1h; fi
}
