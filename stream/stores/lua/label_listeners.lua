-- Labels listeners for one segment: the later of two labels of a listener holds, whichever came first.
--
-- KEYS   1: segment:{S}:labels
--        2: segment:{S}:values
-- ARGV   1: what keys of listeners with one value begin with, segment:{S}:labelled:
--        2: msgpack [listener, value, ts, ...]; ts: Unix seconds as text, so that no digit is lost
-- result how many listeners' labels were changed; of two at the same time the greater value holds

local changed = 0
local given = cmsgpack.unpack(ARGV[2])
for at = 1, #given, 3 do
  local user, value, ts = given[at], given[at + 1], given[at + 2]
  local before = redis.call('HGET', KEYS[1], user)
  local since = before and redis.call('ZSCORE', ARGV[1] .. before, user)
  local later = not since or tonumber(ts) > tonumber(since)
  if later or (tonumber(ts) == tonumber(since) and value > before) then
    if before and before ~= value then
      redis.call('ZREM', ARGV[1] .. before, user)
    end
    redis.call('HINCRBY', KEYS[2], value, 1)
    redis.call('ZADD', ARGV[1] .. value, ts, user)
    redis.call('HSET', KEYS[1], user, value)
    changed = changed + 1
  end
end
return changed
