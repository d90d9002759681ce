-- Stops a release: what is fixed goes out, and nothing follows.
--
-- KEYS   1: release:{R}
-- ARGV   1: now, Unix seconds
-- result its state before: '' where there is none; 'planned' or 'done' where all is fixed, and nothing is stopped

local state, stopped = unpack(redis.call('HMGET', KEYS[1], 'state', 'stopped_at'))
if not state or state == 'planned' or state == 'done' then
  return state or ''
end
if not stopped then
  redis.call('HSET', KEYS[1], 'stopped_at', ARGV[1])
end
if state == 'paused' then
  redis.call('HSET', KEYS[1], 'till', 0)
end
return state
