using Veredus.Smtp;
using static Veredus.Delivery.Tests.Scheduling.SchedulerHarness;

namespace Veredus.Delivery.Tests.Scheduling;

public sealed class SchedulerTests
{
    private readonly SchedulerHarness _h = new();

    [Fact]
    public void The_first_message_of_a_domain_asks_for_its_route_and_opens_a_connection()
    {
        _h.AutoRoute = null;
        _h.Add();
        Assert.Empty(_h.Started);
        Assert.Equal("d.test", Assert.Single(_h.Resolving).Name);

        _h.Scheduler.RouteReady(_h.Resolving[0], To("d.test", "192.0.2.1"), _h.Now);

        Assert.Equal("192.0.2.1:25", Assert.Single(_h.Started).Target!.Address.Endpoint.ToString());
    }

    [Fact]
    public void Messages_leave_in_the_order_they_came()
    {
        var messages = Enumerable.Range(0, 5).Select(_ => _h.Add()).ToArray();
        var connection = _h.Connect(_h.Started[0]);
        foreach (var message in messages)
        {
            Assert.Equal(Taken.Messages, _h.Scheduler.Take(connection, _h.Now));
            Assert.Same(message, Assert.Single(connection.Batch));
            _h.Deliver(connection);
        }
        Assert.Equal(Taken.Park, _h.Scheduler.Take(connection, _h.Now));
        Assert.Equal(0, _h.Scheduler.Messages);
    }

    [Fact]
    public void Normal_growth_adds_a_connection_each_250_ms_while_more_than_eight_messages_wait_for_each()
    {
        _h.AddMany(100);
        Assert.Single(_h.Started);
        _h.Advance(249);
        Assert.Single(_h.Started);
        _h.Advance(1);
        Assert.Equal(2, _h.Started.Count);
        _h.Advance(60_000);
        Assert.Equal(13, _h.Started.Count);  // 100 messages: 8 each for 12, and one more
    }

    [Fact]
    public void High_growth_goes_up_to_the_limit_at_once()
    {
        _h.Policies = (_, _, _) => SendingPolicy.Default with { Growth = Growth.High, MaxConnections = 10 };
        _h.AddMany(100);
        Assert.Equal(10, _h.Started.Count);
    }

    [Fact]
    public async Task An_idle_connection_is_woken_for_a_new_message_and_ends_when_none_comes()
    {
        _h.Add();
        var connection = _h.Connect(_h.Started[0]);
        _h.Serve(connection);
        Assert.Equal(ConnectionState.Idle, connection.State);
        var parked = connection.ParkedAsync().AsTask();

        _h.Add();
        Assert.True(await parked);
        _h.Serve(connection);
        Assert.Single(_h.Started);

        parked = connection.ParkedAsync().AsTask();
        _h.Advance(4999);
        Assert.False(parked.IsCompleted);
        _h.Advance(1);
        Assert.False(await parked);
    }

    [Fact]
    public void Messages_of_a_batch_go_together_up_to_the_limit()
    {
        _h.Policies = (_, _, _) => SendingPolicy.Default with { MaxRecipientsPerBatch = 3 };
        var first = _h.Add();
        for (var i = 0; i < 3; i++)
            _h.Add(batch: first.Stored.Id);
        _h.Add();
        var connection = _h.Connect(_h.Started[0]);

        _h.Scheduler.Take(connection, _h.Now);
        Assert.Equal(3, connection.Batch.Count);
        _h.Deliver(connection);
        _h.Scheduler.Take(connection, _h.Now);
        Assert.Single(connection.Batch);
    }

    [Fact]
    public void A_shared_limit_holds_for_all_and_passes_places_on_in_turn()
    {
        _h.Policies = (_, _, _) => SendingPolicy.Default with { SharedLimits = [new("server ", 2)] };
        _h.Add("a.test");
        _h.Add("b.test");
        _h.Add("c.test");
        _h.Add("e.test");
        Assert.Equal(["a.test", "b.test"], _h.Started.Select(c => c.Queue.Domain.Name));

        _h.Serve(_h.Connect(_h.Started[0]));  // quits instead of idling: others wait
        Assert.Equal("c.test", _h.Started[2].Queue.Domain.Name);
        _h.Serve(_h.Connect(_h.Started[1]));
        Assert.Equal("e.test", _h.Started[3].Queue.Domain.Name);
        Assert.Equal(2, _h.Scheduler.Connections);
    }

    [Fact]
    public async Task A_connection_that_idles_makes_room_for_a_queue_that_needs_its_place()
    {
        _h.Policies = (_, _, _) => SendingPolicy.Default with { SharedLimits = [new("server ", 1)] };
        _h.Add("a.test");
        var connection = _h.Connect(_h.Started[0]);
        _h.Serve(connection);
        var parked = connection.ParkedAsync().AsTask();

        _h.Add("b.test");

        Assert.False(await parked);
        _h.Scheduler.Closed(connection, false, _h.Now);
        Assert.Equal("b.test", _h.Started[1].Queue.Domain.Name);
    }

    [Fact]
    public void A_busy_queue_gives_its_place_up_when_others_wait()
    {
        _h.Policies = (_, _, _) => SendingPolicy.Default with { SharedLimits = [new("server ", 1)] };
        _h.AddMany(1000, "busy.test");
        _h.Add("small.test");

        var delivered = _h.Serve(_h.Connect(_h.Started[0]));

        Assert.Equal(20, delivered);
        Assert.Equal("small.test", _h.Started[1].Queue.Domain.Name);
        _h.Serve(_h.Connect(_h.Started[1]));
        Assert.Equal("busy.test", _h.Started[2].Queue.Domain.Name);
    }

    [Fact]
    public void A_message_rate_is_shared_by_reference_and_kept()
    {
        _h.Policies = (_, _, _) => SendingPolicy.Default with { MessageRate = new("messages group", 10, 1), IdleSeconds = 60 };
        _h.AddMany(100, "a.test");
        _h.AddMany(100, "b.test");
        var sent = Run(_h, 10_000);

        Assert.InRange(sent.Values.Sum(), 100, 111);
        Assert.InRange(sent["a.test"], 40, 71);
        Assert.InRange(sent["b.test"], 40, 71);
    }

    [Fact]
    public void A_connection_rate_spaces_openings()
    {
        _h.Policies = (_, _, _) => SendingPolicy.Default with { ConnectionRate = new("connections ", 2, 1) };
        for (var i = 0; i < 20; i++)
            _h.Add($"d{i}.test");
        Assert.Equal(2, _h.Started.Count);
        _h.Advance(3000);
        Assert.InRange(_h.Started.Count, 7, 8);
    }

    [Fact]
    public void A_failed_address_gives_way_to_the_next_and_rests()
    {
        _h.AutoRoute = name => To(name, "192.0.2.1", "192.0.2.2");
        _h.Add();
        var connection = _h.Started[0];
        var first = connection.Target!.Address;

        var second = _h.Scheduler.NextTarget(connection, failed: true, _h.Now);
        Assert.NotNull(second);
        Assert.NotSame(first, second.Address);
        Assert.Null(_h.Scheduler.NextTarget(connection, failed: true, _h.Now));
        Assert.Empty(_h.Settled);

        _h.Scheduler.OpeningFailed(connection, DeliveryReplies.NoValidHosts("d.test", ""), _h.Now);
        _h.Scheduler.Closed(connection, false, _h.Now);
        Assert.Single(_h.Settled);

        _h.Add();
        _h.Advance(119_000);
        Assert.Single(_h.Started);
        _h.Advance(1_000);
        Assert.Equal(2, _h.Started.Count);
    }

    [Fact]
    public void Fifteen_minutes_without_contact_delay_the_whole_queue()
    {
        _h.AddMany(50);
        for (var i = 0; i < 20 && _h.Settled.Count < 50; i++)
        {
            foreach (var connection in _h.Started.ToArray())
            {
                _h.Scheduler.NextTarget(connection, failed: true, _h.Now);
                _h.Scheduler.OpeningFailed(connection, DeliveryReplies.ConnectionTimedOut, _h.Now);
                _h.Scheduler.Closed(connection, false, _h.Now);
            }
            _h.Started.Clear();
            _h.Advance(120_000);
        }
        Assert.Equal(50, _h.Settled.Count);
        Assert.Equal("421 4.4.0 [internal] no MXs for this domain could be reached at this time", _h.Settled[^1].Ending.Reply.ToString());
        Assert.InRange(_h.Ms, 900_000, 1_100_000);
    }

    [Fact]
    public void A_suspended_queue_keeps_its_messages_but_not_beyond_their_life()
    {
        _h.Policies = (_, _, _) => SendingPolicy.Default with { Suspended = true, Retry = RetryPolicy.Default with { ExpirationSeconds = 3600 } };
        _h.AddMany(3);
        _h.Advance(3_500_000);
        Assert.Empty(_h.Started);
        Assert.Empty(_h.Settled);
        _h.Advance(200_000);
        Assert.Equal(3, _h.Settled.Count);
        Assert.All(_h.Settled, settled => Assert.Equal("554 5.4.7 [internal] exceeded max time without delivery", settled.Ending.Reply.ToString()));
    }

    [Fact]
    public async Task A_binding_that_is_elsewhere_waits_and_goes_on_when_it_comes_back()
    {
        _h.Absent.Add("vip");
        _h.Add(binding: "vip");
        Assert.Empty(_h.Started);
        _h.Absent.Clear();
        _h.TellPresence("vip");
        var connection = _h.Connect(Assert.Single(_h.Started));
        _h.Serve(connection);
        var parked = connection.ParkedAsync().AsTask();

        _h.Absent.Add("vip");
        _h.TellPresence("vip");

        Assert.False(await parked);
        Assert.Empty(_h.Settled);
    }

    [Fact]
    public void A_domain_without_route_fails_or_waits_as_the_route_says()
    {
        _h.AutoRoute = name => Route.Failed(name, new(DeliveryReplies.NullMx, DsnStatus: new(5, 1, 10)), 60);
        _h.Add();
        Assert.Equal(new EnhancedStatus(5, 1, 10), Assert.Single(_h.Settled).Ending.DsnStatus);
    }

    [Fact]
    public void Ten_rounds_without_DNS_fail_the_messages_and_rounds_are_a_minute_apart()
    {
        _h.AutoRoute = name => Route.Failed(name, new(DeliveryReplies.DnsUnavailable, IsDns: true), 60);
        for (var round = 1; round <= 10; round++)
        {
            _h.AddMany(2);  // the second finds the failure of this round
            _h.Advance(60_000);
        }
        Assert.Equal(20, _h.Settled.Count);
        Assert.All(_h.Settled.Take(18), settled => Assert.True(settled.Ending.Reply.IsTransient));
        Assert.All(_h.Settled.Skip(18), settled => Assert.Equal("554 5.4.4 [internal] Domain Lookup Failed", settled.Ending.Reply.ToString()));
    }

    [Fact]
    public void A_known_route_goes_on_being_used_while_the_DNS_is_dead()
    {
        _h.Add();
        _h.Serve(_h.Connect(_h.Started[0]));
        _h.AutoRoute = name => Route.Failed(name, new(DeliveryReplies.DnsUnavailable, IsDns: true), 60);
        _h.Advance(301_000);
        _h.Scheduler.Closed(_h.Started[0], false, _h.Now);
        _h.Add();
        _h.AnswerRoutes();
        Assert.Equal(2, _h.Started.Count);
        Assert.Empty(_h.Settled);
    }

    [Fact]
    public void A_host_limit_counts_over_all_domains_of_the_host()
    {
        _h.AutoRoute = name => new(name, [new(0, 10, "mx.shared.test", null, 300, [System.Net.IPAddress.Parse("192.0.2.9")])], 300);
        _h.Hosts = host => new(-1, [new($"scope host {host}", 2)]);
        for (var i = 0; i < 5; i++)
            _h.Add($"d{i}.test");
        Assert.Equal(2, _h.Started.Count);
        _h.Serve(_h.Connect(_h.Started[0]));
        Assert.Equal(3, _h.Started.Count);
    }

    [Fact]
    public void An_empty_queue_is_forgotten_after_ten_minutes()
    {
        _h.Add();
        var connection = _h.Connect(_h.Started[0]);
        _h.Serve(connection);
        _h.Advance(5_000);
        _h.Scheduler.Closed(connection, false, _h.Now);
        _h.Advance(599_000);
        Assert.Equal(1, _h.Scheduler.QueueCount);
        _h.Advance(2_000);
        Assert.Equal(0, _h.Scheduler.QueueCount);
        Assert.Empty(_h.Scheduler.Domains);
    }

    [Fact]
    public void A_connection_ends_after_its_number_of_deliveries()
    {
        _h.Policies = (_, _, _) => SendingPolicy.Default with { MaxDeliveriesPerConnection = 3 };
        _h.AddMany(7);
        Assert.Equal(3, _h.Serve(_h.Connect(_h.Started[0])));
        Assert.Equal(2, _h.Started.Count);
    }

    [Fact]
    public void One_slow_domain_does_not_hold_ten_thousand_others_up()
    {
        _h.Policies = (_, _, _) => SendingPolicy.Default with { SharedLimits = [new("server ", 50)], MaxConnections = 20 };
        _h.AddMany(5000, "slow.test");
        _h.Advance(10_000);
        for (var i = 0; i < 10_000; i++)
            _h.Add($"d{i}.test");
        var delivered = 0;
        while (_h.Started.Count > 0)
        {
            var fast = _h.Started.Where(connection => connection.Queue.Domain.Name != "slow.test").ToArray();
            _h.Started.RemoveAll(connection => connection.Queue.Domain.Name != "slow.test");
            if (fast.Length == 0)
                break;
            foreach (var connection in fast)
                delivered += _h.Serve(_h.Connect(connection));
        }
        Assert.Equal(10_000, delivered);
    }

    [Fact]
    public void Under_random_load_limits_hold_and_nothing_is_lost()
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        _h.Policies = (_, binding, domain) => SendingPolicy.Default with
        {
            MaxConnections = 5,
            Growth = domain.GetHashCode(StringComparison.Ordinal) % 2 == 0 ? Growth.High : Growth.Normal,
            SharedLimits = [new("server ", 12), new($"server {binding}", 7)],
        };
        var (added, delivered) = (0, 0);
        List<OutboundConnection> open = [];
        for (var step = 0; step < 20_000; step++)
        {
            if (step < 15_000)
            {
                _h.Add($"d{random.Next(40)}.test", $"b{random.Next(3)}");
                added++;
            }
            open.AddRange(_h.Started.Select(_h.Connect));
            _h.Started.Clear();
            Assert.True(open.Count <= 12 && _h.Scheduler.Connections == open.Count, $"seed {seed}: {open.Count} connections");
            foreach (var binding in open.GroupBy(c => c.Queue.Binding))
                Assert.True(binding.Count() <= 7, $"seed {seed}: {binding.Count()} connections of {binding.Key.Name}");
            foreach (var queue in open.GroupBy(c => c.Queue))
                Assert.True(queue.Count() <= 5, $"seed {seed}");
            if (open.Count > 0)
            {
                var connection = open[random.Next(open.Count)];
                if (connection.State is ConnectionState.Busy)
                    delivered += _h.Serve(connection, random.Next(1, 4));
                else if (connection.State is ConnectionState.Closing && _h.Scheduler.Connections == open.Count)
                    _h.Scheduler.Closed(connection, false, _h.Now);
                open.RemoveAll(c => !c.Queue.Connections.Contains(c));
            }
            _h.Advance(random.Next(20));
        }
        for (var round = 0; round < 100_000 && delivered < added; round++)
        {
            open.AddRange(_h.Started.Select(_h.Connect));
            _h.Started.Clear();
            foreach (var connection in open.ToArray())
            {
                if (connection.State is ConnectionState.Busy)
                    delivered += _h.Serve(connection);
                else if (connection.State is ConnectionState.Closing)
                    _h.Scheduler.Closed(connection, false, _h.Now);
            }
            open.RemoveAll(c => !c.Queue.Connections.Contains(c));
            _h.Advance(100);
        }
        Assert.True(added == delivered && _h.Scheduler.Messages == 0, $"seed {seed}: {added} added, {delivered} delivered");
    }

    [Fact]
    public void A_waiting_message_is_small()
    {
        const int Count = 200_000;
        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var i = 0; i < Count; i++)
            _h.Recover($"d{i % 1000}.test", due: 3_600_000 + i);
        var each = (GC.GetTotalMemory(forceFullCollection: true) - before) / Count;

        // With the spool's own objects for message and body; a million then take a third of the 1 GB that they may.
        Assert.InRange(each, 1, 350);
        Assert.Equal((Count, 1000), (_h.Scheduler.Delayed, _h.Scheduler.QueueCount));
    }

    /// <summary>Plays all connections for a while; returns deliveries by domain.</summary>
    private static Dictionary<string, int> Run(SchedulerHarness h, long ms)
    {
        var sent = new Dictionary<string, int>();
        List<OutboundConnection> open = [];
        for (var end = h.Ms + ms; h.Ms < end;)
        {
            open.AddRange(h.Started.Select(h.Connect));
            h.Started.Clear();
            foreach (var connection in open)
                if (connection.State is ConnectionState.Busy)
                    sent[connection.Queue.Domain.Name] = sent.GetValueOrDefault(connection.Queue.Domain.Name) + h.Serve(connection);
            open.RemoveAll(c => !c.Queue.Connections.Contains(c));
            h.Advance(10);
        }
        return sent;
    }
}
