-- The artists of some listeners, the strongest first, for learning.
--
-- KEYS   for each listener: user:{ID}, user:{ID}:artists
-- ARGV   1: how many artists at most
-- result msgpack [[artist, weight, ...], ...]; empty for a bot and where there is no such listener

local last = tonumber(ARGV[1]) - 1
local rows = {}
for i = 1, #KEYS / 2 do
  if redis.call('HGET', KEYS[2 * i - 1], 'bot') == '1' then
    rows[i] = {}
  else
    rows[i] = redis.call('ZREVRANGE', KEYS[2 * i], 0, last, 'WITHSCORES')
  end
end
return cmsgpack.pack(rows)
