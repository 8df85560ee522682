-- What both scripts begin with: the time, and a bucket as gateway/limits/arithmetic.py has it.
-- ARGV[1] is the time in milliseconds, for tests; otherwise it is Redis's own.
local now = tonumber(ARGV[1])
if now == nil then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function read(key, requests, cap, slot, span)
  local bucket = {slots = {}, own = 0, limit = requests, foreign = 0, foreign_until = 0, closed_until = 0}
  local first = math.floor(now / slot) - span
  local flat = redis.call('HGETALL', key)
  for i = 1, #flat, 2 do
    local index, value = tonumber(flat[i]), tonumber(flat[i + 1])
    if index == nil then
      bucket[flat[i]] = value or flat[i + 1]
    elseif index <= first then
      redis.call('HDEL', key, flat[i])
    else
      bucket.slots[#bucket.slots + 1] = {index, value}
      bucket.own = bucket.own + value
    end
  end
  if bucket.foreign_until <= now then bucket.foreign = 0 end
  bucket.ours = bucket.limit
  if cap > 0 and cap < bucket.ours then bucket.ours = cap end
  return bucket
end

-- A limit that the vendor told is worth remembering over a quiet night.
local function keep(key, milliseconds)
  redis.call('PEXPIRE', key, string.format('%.0f', math.max(milliseconds, 86400000)))
end
