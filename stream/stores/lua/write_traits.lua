-- Writes traits of listeners, but of those who were forgotten meanwhile.
--
-- KEYS   1: a key of the first; on a cluster all keys that it touches, of all of them: they are in one slot
-- ARGV   1: msgpack [listener, [field, value, ...], listener, ...]
-- result the positions (from 1) of listeners that are no more

local STEP = 1000  -- Lua passes at most some 8,000 arguments
local gone = {}
local given = cmsgpack.unpack(ARGV[1])
for at = 1, #given, 2 do
  local user = 'user:{' .. given[at] .. '}'
  if redis.call('EXISTS', user) == 1 then
    local fields = given[at + 1]
    for first = 1, #fields, STEP do
      redis.call('HSET', user .. ':traits', unpack(fields, first, math.min(first + STEP - 1, #fields)))
    end
  else
    redis.call('DEL', user .. ':traits')
    gone[#gone + 1] = (at + 1) / 2
  end
end
return gone
