-- Count an answered request from now on, and believe what the vendor told of its limits.
-- ARGV: time, when it was paid, then for each key: requests, cap, slot, span, window,
-- limit ('' when not told), remaining (likewise), reset (likewise), closed_for.
for k, key in ipairs(KEYS) do
  local a = 3 + (k - 1) * 9
  local slot, span, window = tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3]), tonumber(ARGV[a + 4])
  local paid, index = math.floor(tonumber(ARGV[2]) / slot), math.floor(now / slot)
  if paid ~= index then
    if tonumber(redis.call('HGET', key, paid) or 0) > 0 then redis.call('HINCRBY', key, paid, -1) end
    redis.call('HINCRBY', key, index, 1)
  end
  local limit, remaining, reset = tonumber(ARGV[a + 5]), tonumber(ARGV[a + 6]), tonumber(ARGV[a + 7])
  if limit ~= nil then redis.call('HSET', key, 'limit', limit) end
  local bucket = read(key, tonumber(ARGV[a]), tonumber(ARGV[a + 1]), slot, span)
  if remaining ~= nil then
    local foreign = math.max(0, bucket.limit - remaining - bucket.own)
    local until_then = now + math.min(reset or window, window)
    redis.call('HSET', key, 'foreign', foreign, 'foreign_until', string.format('%.0f', until_then))
  end
  local closed_for = tonumber(ARGV[a + 8])
  if closed_for > 0 then
    local closed_until = math.max(bucket.closed_until, now + closed_for)
    redis.call('HSET', key, 'closed_until', string.format('%.0f', closed_until))
  end
  keep(key, math.max(slot * span * 2, bucket.closed_until - now, closed_for))
end
return now
