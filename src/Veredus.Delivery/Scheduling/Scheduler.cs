using System.Diagnostics;
using System.Runtime.InteropServices;
using Veredus.Smtp;
using Veredus.Spool;

namespace Veredus.Delivery;

/// <summary>What the scheduler wants done. Called under its lock: begin the work, don't do it.</summary>
internal interface ISchedulerShell
{
    /// <summary>Runs a connection that may be opened; its first target is chosen.</summary>
    void Start(OutboundConnection connection);

    /// <summary>Looks up the route; ends with <see cref="Scheduler.RouteReady"/>.</summary>
    void Resolve(DomainState domain, DeliveryQueue onBehalfOf);

    /// <summary>Carries out an outcome that was decided without a connection; ends with <see cref="Scheduler.Requeue"/> or <see cref="Scheduler.Drop"/>.</summary>
    void Settle(QueuedMessage message, Ending ending);

    /// <summary>A message may be handed over to the node that the queue is named for.</summary>
    void MoveReady(DeliveryQueue queue)
    {
    }
}

/// <summary>An outcome that was decided without a transaction.</summary>
/// <param name="Quiet">No DSN.</param>
/// <param name="DsnStatus">Status for the DSN where it differs from the reply's.</param>
internal readonly record struct Ending(SmtpReply Reply, SmtpStage Stage = SmtpStage.NotConnected, bool Quiet = false, EnhancedStatus DsnStatus = default)
{
    public static implicit operator Ending(SmtpReply reply) => new(reply);
}

/// <summary>
/// Decides which message goes out when, and who may open a connection. No I/O, no clock, no threads: the caller holds a
/// lock, passes the time, and carries out what <see cref="ISchedulerShell"/> is told. Every call is O(log n) in the
/// number of queues and messages; nothing looks at all queues.
/// </summary>
internal sealed partial class Scheduler(IPolicySource policies, IBindingPresence presence, ISchedulerShell shell)
{
    private readonly Dictionary<string, GroupState> _groups = new(StringComparer.Ordinal);
    private readonly Dictionary<string, DomainState> _domains = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<ulong, QueuedMessage> _messages = [];
    private readonly Dictionary<string, SharedLimit> _limits = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SharedRate> _rates = new(StringComparer.Ordinal);
    private readonly LinkedList<OutboundConnection> _idle = [];
    private long _connectionNumber;

    public IndexedHeap<HeapItem> Timers { get; } = new();
    public AddressBook Addresses { get; } = new();
    public Tally Tally { get; } = new();
    public int Connections { get; private set; }
    public int Active { get; private set; }
    public int Delayed { get; private set; }
    public int Resident { get; private set; }
    public int QueueCount { get; private set; }

    /// <summary>Messages lost sight of between the final dot and its reply; delivered again, perhaps twice.</summary>
    public long InDoubt { get; set; }
    public IReadOnlyDictionary<string, GroupState> Groups => _groups;
    public IReadOnlyDictionary<string, DomainState> Domains => _domains;
    public int Messages => _messages.Count;

    /// <summary>Nothing is delivered before this is set, nor after it is reset.</summary>
    public bool IsRunning { get; set; }

    public QueuedMessage? Find(MessageId id) => _messages.GetValueOrDefault(id.Value);

    public GroupState Group(string name)
    {
        ref var group = ref CollectionsMarshal.GetValueRefOrAddDefault(_groups, name, out _);
        return group ??= new(name);
    }

    public BindingState Binding(string group, string name)
    {
        var state = Group(group);
        ref var binding = ref CollectionsMarshal.GetValueRefOrAddDefault(state.Bindings, name, out _);
        return binding ??= new(state, name);
    }

    /// <param name="name">Lower-cased here when it is new.</param>
    public DomainState Domain(ReadOnlySpan<char> name)
    {
        var lookup = _domains.GetAlternateLookup<ReadOnlySpan<char>>();
        if (!lookup.TryGetValue(name, out var domain))
        {
            domain = new(name.ToString().ToLowerInvariant());
            _domains.Add(domain.Name, domain);
        }
        return domain;
    }

    public DeliveryQueue Queue(BindingState binding, DomainState domain, Moment now)
    {
        ref var queue = ref CollectionsMarshal.GetValueRefOrAddDefault(binding.Queues, domain, out _);
        if (queue is null)
        {
            queue = new(binding, domain) { EmptySince = now.Ms };
            domain.Queues.Add(queue);
            QueueCount++;
        }
        Refresh(queue);
        return queue;
    }

    /// <summary>Takes a new message; it is due now.</summary>
    public void Enqueue(QueuedMessage message, Envelope envelope, DeliveryQueue queue, Moment now)
    {
        if (!_messages.TryAdd(message.Stored.Id.Value, message))
            return;
        Count(queue, static tally => tally.Received++);
        message.Queue = queue;
        var node = policies.Node.MaxResidentMessages;
        if ((queue.Policy.MaxResidentActive < 0 || queue.Resident < queue.Policy.MaxResidentActive) && (node == 0 || Resident < node))
            Keep(message, envelope);
        Activate(message);
        Advance(queue, now);
    }

    /// <summary>Takes a message that was here before a restart; it is due at <paramref name="due"/>.</summary>
    public void Recover(QueuedMessage message, DeliveryQueue queue, long due)
    {
        if (!_messages.TryAdd(message.Stored.Id.Value, message))
            return;
        message.Queue = queue;
        Delay(message, due);
        Rearm(queue);
    }

    /// <summary>A failed try: the message waits until <paramref name="due"/>.</summary>
    public void Requeue(QueuedMessage message, long due, Moment now)
    {
        Debug.Assert(message.Place is MessagePlace.InDelivery or MessagePlace.Settling);
        var queue = message.Queue;
        queue.Unsettled--;
        Delay(message, due);
        Advance(queue, now);
    }

    /// <summary>Not tried after all: back to the head of its queue, nothing charged.</summary>
    public void PutBack(QueuedMessage message, Moment now)
    {
        Debug.Assert(message.Place is MessagePlace.InDelivery or MessagePlace.Settling);
        var queue = message.Queue;
        queue.Unsettled--;
        Activate(message, first: true);
        Advance(queue, now);
    }

    /// <summary>The message is no more: delivered, or given up.</summary>
    public void Drop(QueuedMessage message, Moment now)
    {
        Debug.Assert(message.Place is MessagePlace.InDelivery or MessagePlace.Settling);
        var queue = message.Queue;
        queue.Unsettled--;
        Release(message);
        message.Place = MessagePlace.Gone;
        _messages.Remove(message.Stored.Id.Value);
        if (queue.IsUnused)
            Vacate(queue, now);
    }

    /// <summary>Moves a waiting message to another queue (rebind, reroute).</summary>
    public void Move(QueuedMessage message, DeliveryQueue target, Moment now)
    {
        var source = message.Queue;
        if (source == target || message.Place is not (MessagePlace.Active or MessagePlace.Delayed) || message.Move?.DoubtNode is not null)
            return;
        var due = message.Move is { } state && source.Binding.IsMove ? state.NextTry : message.Place is MessagePlace.Active ? 0 : message.Due;
        var wasActive = due <= now.Ms;
        Unlist(message);
        Release(message);
        message.Move = null;
        message.Queue = target;
        if (wasActive)
            Activate(message);
        else
            Delay(message, due);
        Advance(target, now);
        if (source.IsUnused)
            Vacate(source, now);
        Rearm(source);
    }

    /// <summary>Whether the envelope may stay in memory was asked before.</summary>
    private void Keep(QueuedMessage message, Envelope envelope)
    {
        message.Resident = envelope;
        message.Queue.Resident++;
        Resident++;
    }

    private void Release(QueuedMessage message)
    {
        if (message.Resident is null)
            return;
        message.Resident = null;
        message.Queue.Resident--;
        Resident--;
    }

    private void Activate(QueuedMessage message, bool first = false)
    {
        var queue = message.Queue;
        message.Place = MessagePlace.Active;
        if (first)
            queue.Active.Prepend(message);
        else
            queue.Active.Append(message);
        queue.Binding.Active++;
        Active++;
        if (queue.Binding.IsMove)
            shell.MoveReady(queue);
    }

    private void Delay(QueuedMessage message, long due)
    {
        var queue = message.Queue;
        Release(message);
        message.Place = MessagePlace.Delayed;
        queue.Delayed.Add(message, due);
        queue.Binding.Delayed++;
        Delayed++;
    }

    /// <summary>Takes a message out of the list that it stands in.</summary>
    private void Unlist(QueuedMessage message)
    {
        var queue = message.Queue;
        if (message.Place is MessagePlace.Active)
        {
            queue.Active.Remove(message);
            queue.Binding.Active--;
            Active--;
        }
        else
        {
            queue.Delayed.Remove(message);
            queue.Binding.Delayed--;
            Delayed--;
        }
    }

    /// <summary>Takes a waiting message out of its queue and has its outcome carried out.</summary>
    public void Settle(QueuedMessage message, Ending ending)
    {
        Unlist(message);
        GoHome(message);
        message.Place = MessagePlace.Settling;
        message.Queue.Unsettled++;
        shell.Settle(message, ending);
    }

    public void Count(DeliveryQueue queue, Action<Tally> add)
    {
        add(Tally);
        add(queue.Binding.Group.Tally);
        add(queue.Binding.Tally);
        add(queue.Domain.Tally);
    }

    private void Vacate(DeliveryQueue queue, Moment now)
    {
        queue.EmptySince = now.Ms;
        Rearm(queue);
    }

    /// <summary>Brings the queue's options up to date with the configuration.</summary>
    private void Refresh(DeliveryQueue queue)
    {
        var version = policies.Version;
        if (queue.PolicyVersion == version)
            return;
        queue.PolicyVersion = version;
        queue.Policy = policies.Sending(queue.Binding.Group.Name, queue.Binding.Name, queue.Domain.Name);
        queue.Limits = LimitsOf(queue.Policy.SharedLimits);
        queue.ConnectionRate = RateOf(queue.Policy.ConnectionRate);
        queue.MessageRate = RateOf(queue.Policy.MessageRate);
        if (queue.MessageRate is null)
            queue.Grants = 0;
    }

    private SharedLimit[] LimitsOf(EquatableArray<ScopedLimit> wanted)
    {
        if (wanted.Length == 0)
            return [];
        var limits = new SharedLimit[wanted.Length];
        for (var i = 0; i < limits.Length; i++)
        {
            ref var limit = ref CollectionsMarshal.GetValueRefOrAddDefault(_limits, wanted[i].Scope, out _);
            limit ??= new(wanted[i].Scope);
            limit.Max = wanted[i].Max;
            limits[i] = limit;
        }
        return limits;
    }

    private SharedRate? RateOf(ScopedRate? wanted)
    {
        if (wanted is not { } rate)
            return null;
        ref var shared = ref CollectionsMarshal.GetValueRefOrAddDefault(_rates, rate.Scope, out _);
        shared ??= new(rate.Scope);
        shared.Change(rate.Count, rate.Seconds);
        return shared;
    }
}
