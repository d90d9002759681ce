-- The artists of some listeners, the strongest first, for learning.
--
-- KEYS   1: a key of the first; on a cluster all keys that it touches, of all of them: they are in one slot
-- ARGV   1: msgpack [listener, ...]   2: how many artists at most
-- result msgpack [[artist, weight, ...], ...]; empty for a bot and where there is no such listener

local last = tonumber(ARGV[2]) - 1
local rows = {}
for i, id in ipairs(cmsgpack.unpack(ARGV[1])) do
  local user = 'user:{' .. id .. '}'
  if redis.call('HGET', user, 'bot') == '1' then
    rows[i] = {}
  else
    rows[i] = redis.call('ZREVRANGE', user .. ':artists', 0, last, 'WITHSCORES')
  end
end
return cmsgpack.pack(rows)
