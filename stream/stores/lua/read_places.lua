-- Where each listener's own record places them: the cohort, and the move that brought them there.
--
-- KEYS   for each listener: user:{ID}
-- result [[state, rev, cohort, cohort_since, moved], ...]; nothing but false where there is no such listener

local places = {}
for i, user in ipairs(KEYS) do
  places[i] = redis.call('HMGET', user, 'state', 'rev', 'cohort', 'cohort_since', 'moved')
end
return places
