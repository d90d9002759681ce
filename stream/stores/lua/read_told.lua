-- What some listeners were told lately, and how they take it, as numbers.
--
-- KEYS   1: told:{NN} (reserve_told.lua)
-- ARGV   1: now   2: msgpack [listener, ...]
-- result for each five doubles, little-endian: sent and clicked as stored, notifications in the last 24 hours and
--        in the last 7 days, when the last one was (0: there was none)

local DAY, WEEK = 86400, 604800

local now, users = tonumber(ARGV[1]), cmsgpack.unpack(ARGV[2])
local result = {}
for i, packed in ipairs(redis.call('HMGET', KEYS[1], unpack(users))) do
  local sent, clicked, day, week, last = 0, 0, 0, 0, 0
  if packed then
    local told
    sent, clicked, told = unpack(cmsgpack.unpack(packed))
    for _, each in ipairs(told) do
      local at = each[2]
      week = week + (at > now - WEEK and 1 or 0)
      day = day + (at > now - DAY and 1 or 0)
      last = math.max(last, at)
    end
  end
  result[i] = struct.pack('<ddddd', sent, clicked, day, week, last)
end
return table.concat(result)
