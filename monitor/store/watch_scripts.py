"""What the watch does in Redis, each as one atomic script (Redis 6.2)."""

from monitor.store.alerts import SHOWN
from monitor.store.counters import COUNT

#: Take or renew the lease on watching a shard.
#: KEYS lease, fence · ARGV owner, time to live ms. Returns the fencing number, 0 if another holds.
LEASE = """
local held = redis.call('GET', KEYS[1])
if held then
  local owner, fence = string.match(held, '^(.*)|(%d+)$')
  if owner ~= ARGV[1] then return 0 end
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return tonumber(fence)
end
local fence = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], ARGV[1] .. '|' .. fence, 'PX', ARGV[2])
return fence
"""

#: Give the lease back if it is still ours. KEYS lease · ARGV lease value.
RELEASE_LEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""

#: Most notices that wait to be sent in a shard; the oldest give way. A channel that is away for an
#: hour while alerts come once a second.
MOST_NOTICES = 3600

#: Store what the watch saw of one run: its state, its status, alerts that are new and those that
#: are over, with their events; new ones wait for delivery from here on.
#: KEYS 1 lease, 2 segments, 3 watch, 4 alerts, 5 marks, 6 events, 7 shard events, 8 notices,
#:   9 counters
#: ARGV 1 lease value, 2 run, 3 state ('' leaves it), 4 status ('' leaves it), 5 its event,
#:   6 most events, 7 number of alerts, then pairs of an alert's id and its JSON, then pairs of the
#:   id of an alert that is over and when
#: Returns 'stored', 'lost' (another holds the lease) or 'deleted'.
COMMIT = f"""{SHOWN}{COUNT}
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'lost' end
if redis.call('EXISTS', KEYS[2]) == 0 then return 'deleted' end
local function tell(event, data)
  for _, stream in ipairs({{KEYS[6], KEYS[7]}}) do
    redis.call('XADD', stream, 'MAXLEN', '~', ARGV[6], '*', 'event', event, 'run', ARGV[2],
      'data', data)
  end
end
if ARGV[3] ~= '' then redis.call('HSET', KEYS[3], 'state', ARGV[3]) end
if ARGV[4] ~= '' and redis.call('HGET', KEYS[3], 'status') ~= ARGV[4] then
  redis.call('HSET', KEYS[3], 'status', ARGV[4])
  tell('status', ARGV[5])
end
local over = 8 + 2 * tonumber(ARGV[7])
for i = 8, over - 1, 2 do
  if redis.call('HSETNX', KEYS[4], ARGV[i], ARGV[i + 1]) == 1 then
    tell('alert', shown(KEYS[4], KEYS[5], ARGV[i]))
    local alert = cjson.decode(ARGV[i + 1])
    count(KEYS[9], 'alerts:' .. alert.kind .. ':' .. alert.severity, 1)
    redis.call('ZADD', KEYS[8], redis.call('TIME')[1], ARGV[i] .. '|' .. ARGV[2])
  end
end
redis.call('ZREMRANGEBYRANK', KEYS[8], 0, -{MOST_NOTICES + 1})
for i = over, #ARGV, 2 do
  if redis.call('HEXISTS', KEYS[4], ARGV[i]) == 1
    and redis.call('HSETNX', KEYS[5], ARGV[i] .. ':resolved', ARGV[i + 1]) == 1 then
    tell('alert', shown(KEYS[4], KEYS[5], ARGV[i]))
  end
end
return 'stored'
"""
