-- Labels listeners for one segment: the later of two labels of a listener holds, whichever came first.
--
-- KEYS   1: segment:{S}:labels
--        2: segment:{S}:values
--        3: segment:{S}:forgotten
-- ARGV   1: what keys of listeners with one value begin with, segment:{S}:labelled:
--        2: msgpack [listener, value, ts, clock, at, ...]; ts: Unix seconds, at: when the label came by its
--           clock, a field of the third key; both as text, so that no digit is lost
-- result how many listeners' labels were changed, and 1 if there are labels of the segment, else 0; of two
--        at the same time the greater value holds, and one that came before the segment was forgotten does not
--        count

local changed = 0
local given = cmsgpack.unpack(ARGV[2])
local forgotten = {}
for _, field in ipairs(redis.call('HKEYS', KEYS[3])) do
  forgotten[field] = tonumber(redis.call('HGET', KEYS[3], field))
end
for at = 1, #given, 5 do
  local user, value, ts = given[at], given[at + 1], given[at + 2]
  local until_then = forgotten[given[at + 3]]
  if not (until_then and tonumber(given[at + 4]) < until_then) then
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
end
return {changed, redis.call('EXISTS', KEYS[2])}
