-- What Redis holds of some listeners, as far as their next clicks need it.
--
-- KEYS   for each listener: user:{ID}; the braces keep its :artists and :taste in the same slot
-- ARGV   1: msgpack [head, bound, [[whole, [partition, ...], [artist, ...]], ...]]
--           head: the first bytes of a taste made by the live model, "" for no model; a taste that starts
--           otherwise is stale. bound: how many artists a listener keeps. whole: all artists are wanted.
-- result msgpack [[fields, [offset or false, ...], taste or false, whole, affinities], ...]
--           fields: the values of FIELDS, false where missing. affinities: where whole, artist and weight
--           in turn, else the weights (false where none) of the artists asked for.
--
-- The whole row is returned where the listener's taste has to be summed anew (another model made it) or where
-- the row may outgrow its bound.

local FIELDS = {'rev', 'cohort', 'cohort_from', 'cohort_since', 'moved', 'clicks', 'first_seen', 'last_seen',
                'bot', 'hour', 'hour_clicks'}
local head, bound, wanted = unpack(cmsgpack.unpack(ARGV[1]))
local result = {}
for i, want in ipairs(wanted) do
  local user, artists, taste_key = KEYS[i], KEYS[i] .. ':artists', KEYS[i] .. ':taste'
  local whole, partitions, asked = unpack(want)
  local fields = redis.call('HMGET', user, unpack(FIELDS))
  local offsets = {}
  for j, partition in ipairs(partitions) do
    offsets[j] = redis.call('HGET', user, 'o:' .. partition)
  end
  local taste = redis.call('GET', taste_key)
  if head ~= '' and (not taste or taste:sub(1, #head) ~= head) then
    taste, whole = false, true
  end
  if not whole and redis.call('ZCARD', artists) + #asked > bound then
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
  result[i] = {fields, offsets, taste, whole, affinities}
end
return cmsgpack.pack(result)
