-- Writes traits of listeners, but of those who were forgotten meanwhile.
--
-- KEYS   1: user:{ID}:traits of the first; on a cluster all of them are in its slot
-- ARGV   1: msgpack [listener, [field, value, ...], listener, ...]
-- result the positions (from 1) of listeners that are no more

local gone = {}
local given = cmsgpack.unpack(ARGV[1])
for at = 1, #given, 2 do
  local user = 'user:{' .. given[at] .. '}'
  if redis.call('EXISTS', user) == 1 then
    redis.call('HSET', user .. ':traits', unpack(given[at + 1]))
  else
    redis.call('DEL', user .. ':traits')
    gone[#gone + 1] = (at + 1) / 2
  end
end
return gone
