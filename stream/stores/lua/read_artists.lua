-- What some listeners play, without the weights, the strongest first.
--
-- KEYS   1: a key of the first; on a cluster all keys that it touches, of all of them: they are in one slot
-- ARGV   1: msgpack [listener, ...]   2: how many artists at most   3: above which stored weight
-- result msgpack [[artist, ...], ...]; empty where there is no such listener

local most, above = tonumber(ARGV[2]), '(' .. ARGV[3]
local played = {}
for i, id in ipairs(cmsgpack.unpack(ARGV[1])) do
  played[i] = redis.call('ZREVRANGEBYSCORE', 'user:{' .. id .. '}:artists', '+inf', above, 'LIMIT', 0, most)
end
return cmsgpack.pack(played)
