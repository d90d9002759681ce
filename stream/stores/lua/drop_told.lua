-- Erases what some listeners were told, but of those who were told of something lately: their caps hold on.
--
-- KEYS   1: told:{NN} (reserve_told.lua)
-- ARGV   1: since when is lately, Unix seconds   2: msgpack [listener, ...]
-- result msgpack [when the last notification was of one that is left, or 0 for one erased, ...]

local result = {}
for i, user in ipairs(cmsgpack.unpack(ARGV[2])) do
  local packed, last = redis.call('HGET', KEYS[1], user), 0
  if packed then
    local _, _, told = unpack(cmsgpack.unpack(packed))
    for _, each in ipairs(told) do
      last = math.max(last, each[2])
    end
    if last <= tonumber(ARGV[1]) then
      redis.call('HDEL', KEYS[1], user)
      last = 0
    end
  end
  result[i] = last
end
return cmsgpack.pack(result)
