-- The artists of some listeners, the strongest first, for learning.
--
-- KEYS   for each listener: user:{ID}; the braces keep its :artists in the same slot
-- ARGV   1: how many artists at most
-- result msgpack [[artist, weight, ...], ...]; empty for a bot and where there is no such listener

local last = tonumber(ARGV[1]) - 1
local rows = {}
for i, user in ipairs(KEYS) do
  if redis.call('HGET', user, 'bot') == '1' then
    rows[i] = {}
  else
    rows[i] = redis.call('ZREVRANGE', user .. ':artists', 0, last, 'WITHSCORES')
  end
end
return cmsgpack.pack(rows)
