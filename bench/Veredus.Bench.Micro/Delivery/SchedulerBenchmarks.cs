using System.Net;
using BenchmarkDotNet.Attributes;
using Veredus.Delivery;
using Veredus.Spool;

namespace Veredus.Bench.Micro.Delivery;

/// <summary>The scheduler's share of a message: queued, handed to a connection, finished; among 10,000 queues of which one is slow.</summary>
[MemoryDiagnoser]
public class SchedulerBenchmarks
{
    private const int Domains = 10_000;
    private const int Slow = 5_000;
    private readonly Bench _bench = new();

    [GlobalSetup]
    public void Setup()
    {
        for (var i = 0; i < Slow; i++)
            _bench.Enqueue("slow.test");
    }

    /// <summary>One message to each domain, delivered over a connection of its own.</summary>
    [Benchmark(OperationsPerInvoke = Domains)]
    public void OneMessageEach()
    {
        for (var i = 0; i < Domains; i++)
            _bench.Enqueue(Bench.Names[i]);
        _bench.DeliverAll();
    }

    /// <summary>Ten thousand messages of one domain over one connection.</summary>
    [Benchmark(OperationsPerInvoke = Domains)]
    public void OneDomain()
    {
        for (var i = 0; i < Domains; i++)
            _bench.Enqueue("busy.test");
        _bench.DeliverAll();
    }

    private sealed class Bench : ISchedulerShell, IPolicySource
    {
        public static readonly string[] Names = [.. Enumerable.Range(0, Domains).Select(i => $"d{i}.test")];
        private readonly SendingPolicy _policy = SendingPolicy.Default with { IdleSeconds = 0, MaxConnections = 1, SharedLimits = [new("server ", 20_000)] };
        private readonly Queue<OutboundConnection> _started = [];
        private readonly Queue<DomainState> _resolving = [];
        private readonly StoredBody _body = new(1, 10_240);
        private readonly Scheduler _scheduler;
        private int _counter;

        public Bench() => _scheduler = new(this, AlwaysHere.Instance, this) { IsRunning = true };

        public long Version => 1;
        public NodePolicy Node { get; } = new("bench");
        public bool HasGateways => false;

        private Moment Now => new(1000, 1_790_000_000_000);

        public void Enqueue(string domain)
        {
            var id = new MessageId(1_790_000_000 + (uint)(++_counter >> 16), 1, (ushort)_counter);
            var envelope = new Envelope { Id = id, BatchId = id, Received = DateTimeOffset.UnixEpoch, Protocol = "ESMTP", Sender = "", Recipient = "", BindingGroup = "default", Binding = "default" };
            var queue = _scheduler.Queue(_scheduler.Binding("default", "default"), _scheduler.Domain(domain), Now);
            _scheduler.Enqueue(new(new StoredMessage(id, _body, 1_790_000_000_000_000), id), envelope, queue, Now);
            while (_resolving.TryDequeue(out var wanted))
                _scheduler.RouteReady(wanted, new(wanted.Name, [new RouteHost(0, 10, "mx.test", null, 3600, [IPAddress.Loopback])], 3600), Now);
        }

        /// <summary>All but the slow domain, whose connection never answers.</summary>
        public void DeliverAll()
        {
            while (_started.TryDequeue(out var connection))
            {
                if (connection.Queue.Domain.Name == "slow.test")
                    continue;
                Scheduler.Connected(connection, 1, Now);
                while (_scheduler.Take(connection, Now) is Taken.Messages)
                {
                    Scheduler.TransactionSucceeded(connection, 1, Now);
                    foreach (var message in connection.Batch)
                        _scheduler.Drop(message, Now);
                    connection.Batch.Clear();
                }
                _scheduler.Closed(connection, false, Now);
            }
        }

        public void Start(OutboundConnection connection) => _started.Enqueue(connection);

        public void Resolve(DomainState domain, DeliveryQueue onBehalfOf) => _resolving.Enqueue(domain);

        public void Settle(QueuedMessage message, Ending ending) => throw new InvalidOperationException(ending.Reply.ToString());
        public SendingPolicy Sending(string group, string binding, string domain) => _policy;
        public HostPolicy? Host(string group, string binding, string host) => null;
        public EquatableArray<RouteEntry> Routes(string domain) => [];
        public string Gateway(string group, string binding, string recipientDomain) => "";
    }
}
