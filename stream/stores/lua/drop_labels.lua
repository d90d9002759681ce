-- Erases the labels that listeners have in one segment.
--
-- KEYS   1: segment:{S}:labels
-- ARGV   1: what keys of listeners with one value begin with, segment:{S}:labelled:
--        2: msgpack [listener, ...]
-- result how many labels there were

local erased = 0
for _, user in ipairs(cmsgpack.unpack(ARGV[2])) do
  local value = redis.call('HGET', KEYS[1], user)
  if value then
    redis.call('ZREM', ARGV[1] .. value, user)
    redis.call('HDEL', KEYS[1], user)
    erased = erased + 1
  end
end
return erased
