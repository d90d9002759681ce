-- What is known of an id that is part of another listener, at one moment.
--
-- KEYS   1: user:{ID}
-- result {[field, value, ...] of user:{ID}:into, user:{ID}:parts or ''}

return {redis.call('HGETALL', KEYS[1] .. ':into'), redis.call('GET', KEYS[1] .. ':parts') or ''}
