-- Pay one request from all of KEYS, or from none and say how long to wait.
-- ARGV: time, per cent reserved for others, a new epoch, "look" to only look,
-- then for each key: requests, cap (0: none), slot, span.
-- Returns {wait, now, then for each key its epoch}.
local reserved = tonumber(ARGV[2])
local wait, epochs = 0, {}
for k, key in ipairs(KEYS) do
  local a = 5 + (k - 1) * 4
  local slot, span = tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3])
  local bucket = read(key, tonumber(ARGV[a]), tonumber(ARGV[a + 1]), slot, span)
  if bucket.epoch == nil then
    bucket.epoch = ARGV[3]
    redis.call('HSET', key, 'epoch', bucket.epoch)
    keep(key, slot * span * 2)
  end
  epochs[k] = bucket.epoch
  local total = math.max(1, math.floor(bucket.limit * (100 - reserved) / 100))
  local own_most = math.max(1, math.floor(bucket.ours * (100 - reserved) / 100))
  local releases = {}
  for _, each in ipairs(bucket.slots) do
    releases[#releases + 1] = {(each[1] + span) * slot, each[2], 0}
  end
  if bucket.foreign > 0 then releases[#releases + 1] = {bucket.foreign_until, 0, bucket.foreign} end
  table.sort(releases, function(x, y) return x[1] < y[1] end)
  local own, foreign, at = bucket.own, bucket.foreign, now
  for _, release in ipairs(releases) do
    if own < own_most and own + foreign < total then break end
    own, foreign, at = own - release[2], foreign - release[3], release[1]
  end
  wait = math.max(wait, at - now, bucket.closed_until - now)
end
if wait == 0 and ARGV[4] ~= 'look' then
  for k, key in ipairs(KEYS) do
    local a = 5 + (k - 1) * 4
    local slot, span = tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3])
    redis.call('HINCRBY', key, math.floor(now / slot), 1)
    keep(key, slot * span * 2)
  end
end
return {wait, now, unpack(epochs)}
