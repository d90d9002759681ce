-- What Redis holds of some listeners, as far as their next clicks need it.
--
-- KEYS   for each listener: user:{ID}; the braces keep its :artists and :taste in the same slot
-- ARGV   1: msgpack [head, bound, [[whole, [field, ...], [artist, ...]], ...]]
--           head: the first bytes of a taste made by the live model, "" for no model; one that starts
--           otherwise is stale. bound: how many artists a listener keeps. whole: all artists are wanted.
--           field: of the hash; the first is `kept`, how many artists the listener has.
-- result msgpack [[[value or false, ...], taste or false, whole, affinities], ...]
--           affinities: where whole, artist and weight in turn, else the weights (false where none) of the
--           artists asked for.
--
-- The whole row is returned where the listener's taste has to be summed anew (another model made it) or where
-- the row may outgrow its bound.

local head, bound, wanted = unpack(cmsgpack.unpack(ARGV[1]))
local result = {}
for i, want in ipairs(wanted) do
  local user, artists = KEYS[i], KEYS[i] .. ':artists'
  local whole, names, asked = unpack(want)
  local fields = redis.call('HMGET', user, unpack(names))
  local taste = redis.call('GET', KEYS[i] .. ':taste')
  if head ~= '' and (not taste or taste:sub(1, #head) ~= head) then
    whole = true
  end
  if not whole and tonumber(fields[1] or 0) + #asked > bound then
    whole = true
  end
  local affinities
  if whole then
    affinities = redis.call('ZRANGE', artists, 0, -1, 'WITHSCORES')
  elseif #asked > 0 then
    affinities = redis.call('ZMSCORE', artists, unpack(asked))
  else
    affinities = {}
  end
  result[i] = {fields, taste, whole, affinities}
end
return cmsgpack.pack(result)
