-- Notes what was heard of notifications, each kind once a listener and release.
--
-- KEYS   1: told:{NN} (reserve_told.lua)
-- ARGV   1: msgpack [[listener, release, at, weight, [artist, ...], kind, ...], ...]; weight: what a sent or a click
--        adds to the counts that fade; artists: whom the release is by   2: how many notifications of a listener are kept
-- result how many listeners' records were changed

local SENT, CLICKED = 1, 2

local kept = tonumber(ARGV[2])

-- Adds a notification where its time belongs: one of long ago may be heard of today.
local function add(told, new)
  local place = #told + 1
  while place > 1 and told[place - 1][2] > new[2] do
    place = place - 1
  end
  table.insert(told, place, new)
  while #told > kept do
    table.remove(told, 1)
  end
end

local changed = 0
for _, event in ipairs(cmsgpack.unpack(ARGV[1])) do
  local user, release, at, weight, artists = unpack(event)
  local packed = redis.call('HGET', KEYS[1], user)
  local sent, clicked, told, joined = 0, 0, {}, nil
  if packed then
    sent, clicked, told, joined = unpack(cmsgpack.unpack(packed))
  end
  local place
  for n, each in ipairs(told) do
    if each[1] == release then
      place = n
    end
  end
  local kinds = {}
  for n = 6, #event do
    kinds[event[n]] = true
  end
  local before = place and told[place][3] or 0
  local was_sent, was_clicked = before % 2 == 1, before >= CLICKED
  if kinds.not_sent and not was_sent then
    if place then
      table.remove(told, place)
      redis.call('HSET', KEYS[1], user, cmsgpack.pack({sent, clicked, told, joined}))
      changed = changed + 1
    end
  else
    local flags = before
    -- Of a click alone on what is not kept any more, the sent has been counted (count_release.lua).
    if not was_sent and (kinds.sent or kinds.clicked and place) then
      sent, flags = sent + weight, flags + SENT
    end
    if kinds.clicked and not was_clicked then
      clicked, flags = clicked + weight, flags + CLICKED
    end
    if flags ~= before then
      if place then
        told[place][3] = flags
      elseif kinds.sent then
        add(told, {release, at, flags, unpack(artists)})
      else  -- noted at no time: it counts once, for no cap, and is the first to go
        add(told, {release, 0, SENT + CLICKED})
      end
      redis.call('HSET', KEYS[1], user, cmsgpack.pack({sent, clicked, told, joined}))
      changed = changed + 1
    end
  end
end
return changed
