using System.Net;
using Veredus.Spool;

namespace Veredus.Delivery.Tests.Scheduling;

/// <summary>The scheduler alone, with a virtual clock; the test plays connections, DNS and outcomes.</summary>
internal sealed class SchedulerHarness : ISchedulerShell, IPolicySource, IBindingPresence
{
    private int _counter;

    public SchedulerHarness()
    {
        Scheduler = new(this, this, this) { IsRunning = true };
    }

    public Scheduler Scheduler { get; }
    public long Ms { get; set; }
    public Moment Now => new(Ms, 1_790_000_000_000 + Ms);

    public List<OutboundConnection> Started { get; } = [];
    public List<DomainState> Resolving { get; } = [];
    public List<(QueuedMessage Message, Ending Ending)> Settled { get; } = [];
    public HashSet<string> Absent { get; } = [];
    public Func<string, string, string, SendingPolicy> Policies { get; set; } = (_, _, _) => SendingPolicy.Default;
    public Func<string, HostPolicy?> Hosts { get; set; } = _ => null;

    /// <summary>Routes are answered as soon as they are asked for.</summary>
    public Func<string, Route>? AutoRoute { get; set; } = name => To(name, "192.0.2.1");

    public long Version { get; set; } = 1;
    public NodePolicy Node { get; set; } = new("node.example.org");
    public bool HasGateways => false;

    public event Action<string, string>? Changed;

    public static Route To(string domain, params string[] addresses) =>
        new(domain, [.. addresses.Select((address, i) => new RouteHost(0, 10, $"mx{i}.{domain}", null, 300, [IPAddress.Parse(address)]))], 300);

    public QueuedMessage Add(string domain = "d.test", string binding = "default", MessageId? batch = null)
    {
        var (message, id) = Make(batch);
        var queue = Scheduler.Queue(Scheduler.Binding("default", binding), Scheduler.Domain(domain), Now);
        Scheduler.Enqueue(message, Envelope(id, domain), queue, Now);
        AnswerRoutes();
        return message;
    }

    /// <summary>A message of an earlier process that waits for its time.</summary>
    public void Recover(string domain, long due) =>
        Scheduler.Recover(Make(null).Message, Scheduler.Queue(Scheduler.Binding("default", "default"), Scheduler.Domain(domain), Now), due);

    private (QueuedMessage Message, MessageId Id) Make(MessageId? batch)
    {
        var id = new MessageId(1_790_000_000 + (uint)(++_counter >> 16), 1, (ushort)_counter);
        return (new(new StoredMessage(id, new StoredBody(1, 1000), (1_790_000_000_000 + Ms) * 1000), batch ?? id), id);
    }

    public void AddMany(int count, string domain = "d.test", string binding = "default")
    {
        for (var i = 0; i < count; i++)
            Add(domain, binding);
    }

    /// <summary>Lets time pass and does what falls due on the way, in its order.</summary>
    public void Advance(long ms)
    {
        var end = Ms + ms;
        while (Scheduler.NextDue <= end)
        {
            Ms = Math.Max(Ms, Scheduler.NextDue);
            while (Scheduler.RunDue(Now, 10))
            {
            }
            AnswerRoutes();
        }
        Ms = end;
        Scheduler.RunDue(Now, 10);
        AnswerRoutes();
    }

    public OutboundConnection Connect(OutboundConnection connection)
    {
        Scheduler.Connected(connection, 1, Now);
        return connection;
    }

    /// <summary>Takes and delivers until the connection parks or quits; returns how many messages it delivered.</summary>
    public int Serve(OutboundConnection connection, int most = int.MaxValue, long eachMs = 0)
    {
        for (var count = 0; ; count++)
        {
            if (count >= most)
                return count;
            TakeSignal(connection);
            var taken = Scheduler.Take(connection, Now);
            if (taken is Taken.Quit)
                Scheduler.Closed(connection, false, Now);
            if (taken is not Taken.Messages)
                return count;
            Ms += eachMs;
            Deliver(connection);
        }
    }

    /// <summary>What the waiting worker does when it is woken.</summary>
    private static void TakeSignal(OutboundConnection connection)
    {
        var signal = connection.ParkedAsync();
        if (signal.IsCompleted)
            signal.GetAwaiter().GetResult();
    }

    public void Deliver(OutboundConnection connection)
    {
        Scheduler.TransactionSucceeded(connection, 1, Now);
        foreach (var message in connection.Batch)
            Scheduler.Drop(message, Now);
        connection.Batch.Clear();
    }

    public void AnswerRoutes()
    {
        while (AutoRoute is not null && Resolving.Count > 0)
        {
            var domain = Resolving[0];
            Resolving.RemoveAt(0);
            Scheduler.RouteReady(domain, AutoRoute(domain.Name), Now);
        }
    }

    public void TellPresence(string binding)
    {
        Scheduler.PresenceChanged(Scheduler.Binding("default", binding), Now);
        Changed?.Invoke("default", binding);
        AnswerRoutes();
    }

    public static Envelope Envelope(MessageId id, string domain) => new()
    {
        Id = id, BatchId = id, Received = DateTimeOffset.UnixEpoch, Protocol = "ESMTP", Sender = "a@example.org", Recipient = $"b@{domain}", BindingGroup = "default", Binding = "default",
    };

    void ISchedulerShell.Start(OutboundConnection connection) => Started.Add(connection);
    void ISchedulerShell.Resolve(DomainState domain, DeliveryQueue onBehalfOf) => Resolving.Add(domain);
    void ISchedulerShell.Settle(QueuedMessage message, Ending ending) => Settled.Add((message, ending));
    SendingPolicy IPolicySource.Sending(string group, string binding, string domain) => Policies(group, binding, domain);
    HostPolicy? IPolicySource.Host(string group, string binding, string host) => Hosts(host);
    EquatableArray<RouteEntry> IPolicySource.Routes(string domain) => [];
    string IPolicySource.Gateway(string group, string binding, string recipientDomain) => "";
    bool IBindingPresence.IsHere(string group, string binding) => !Absent.Contains(binding);
}
