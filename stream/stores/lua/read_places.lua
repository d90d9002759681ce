-- Where each listener's own record places them: the cohort, and the move that brought them there.
--
-- KEYS   1: user:{ID} of the first; on a cluster all of them are in its slot
-- ARGV   1: msgpack [listener, ...]
-- result msgpack [[state, rev, cohort, cohort_since, moved], ...]; nothing but false where there is no such
--        listener

local places = {}
for i, id in ipairs(cmsgpack.unpack(ARGV[1])) do
  places[i] = redis.call('HMGET', 'user:{' .. id .. '}', 'state', 'rev', 'cohort', 'cohort_since', 'moved')
end
return cmsgpack.pack(places)
