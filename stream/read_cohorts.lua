-- The cohort that each listener's own record names.
--
-- KEYS   for each listener: user:{ID}
-- result [cohort, ...], '' where there is none

local cohorts = {}
for i, user in ipairs(KEYS) do
  cohorts[i] = redis.call('HGET', user, 'cohort') or ''
end
return cohorts
