namespace Veredus.Delivery;

/// <summary>Running totals for the console. Guarded by the scheduler's lock.</summary>
internal sealed class Tally
{
    public long Received;
    public long Delivered;
    public long Transient;
    public long Failed;

    public void Clear() => (Received, Delivered, Transient, Failed) = (0, 0, 0, 0);
}

internal sealed class GroupState(string name)
{
    public string Name { get; } = name;
    public Dictionary<string, BindingState> Bindings { get; } = new(StringComparer.Ordinal);
    public Tally Tally { get; } = new();
}

internal sealed class BindingState(GroupState group, string name)
{
    public GroupState Group { get; } = group;
    public string Name { get; } = name;

    /// <summary>The virtual binding whose "domains" are other nodes: nothing is delivered from it, it is handed over.</summary>
    public bool IsMove { get; } = name == DeliveryEngine.MoveBinding;

    public Dictionary<DomainState, DeliveryQueue> Queues { get; } = [];
    public Dictionary<string, SharedLimit[]> HostLimits { get; } = new(StringComparer.OrdinalIgnoreCase);
    public long HostLimitsVersion { get; set; } = -1;
    public Tally Tally { get; } = new();
    public int Connections { get; set; }
    public int Active { get; set; }
    public int Delayed { get; set; }

    /// <summary>Somebody waits for the end of the last connection.</summary>
    public TaskCompletionSource? Quiet { get; set; }
}

/// <summary>A routing domain: its route and what is common to its queues.</summary>
internal sealed class DomainState(string name)
{
    public string Name { get; } = name;
    public List<DeliveryQueue> Queues { get; } = [];
    public Tally Tally { get; } = new();
    public Route? Route { get; set; }

    /// <summary>Scheduler milliseconds after which the route is looked up again.</summary>
    public long RouteExpires { get; set; }
    public bool IsResolving { get; set; }

    /// <summary>Lookups that failed one after the other.</summary>
    public int DnsFailures { get; set; }

    /// <summary>Attempts to connect that reached no address, one after the other.</summary>
    public int ConnectFailures { get; set; }
    public int Connections { get; set; }
    public int Turn { get; set; }
}

/// <summary>The messages of one binding for one routing domain. Guarded by the scheduler's lock.</summary>
internal sealed class DeliveryQueue(BindingState binding, DomainState domain) : HeapItem
{
    public BindingState Binding { get; } = binding;
    public DomainState Domain { get; } = domain;
    public MessageList Active { get; } = new();
    public IndexedHeap<QueuedMessage> Delayed { get; } = new();

    public SendingPolicy Policy { get; set; } = SendingPolicy.Default;
    public long PolicyVersion { get; set; } = -1;
    public SharedLimit[] Limits { get; set; } = [];
    public SharedRate? ConnectionRate { get; set; }
    public SharedRate? MessageRate { get; set; }

    /// <summary>Messages that the rate has let through and no connection has taken yet.</summary>
    public int Grants { get; set; }

    public List<OutboundConnection> Connections { get; } = [];
    public List<OutboundConnection> Idle { get; } = [];

    /// <summary>The line that the queue waits in, if any.</summary>
    public WaitLine? Line { get; set; }

    public long LastOpened { get; set; } = long.MinValue / 2;

    /// <summary>When <see cref="Scheduler.Consider"/> shall look again; <see cref="long.MaxValue"/>: when something happens.</summary>
    public long LookAt { get; set; } = long.MaxValue;

    /// <summary>When messages that nobody can deliver are looked through for expired ones.</summary>
    public long SweepAt { get; set; } = long.MaxValue;

    /// <summary>Messages at the head of <see cref="Active"/> that still end with <see cref="Purge"/>.</summary>
    public int PurgeLeft { get; set; }
    public Ending Purge { get; set; }

    /// <summary>Connections that were woken and have not asked for a message yet.</summary>
    public int Woken { get; set; }

    /// <summary>First of the failures to connect that no success has followed; <see langword="null"/>: the last try was a success.</summary>
    public long? FailingSince { get; set; }

    public long EmptySince { get; set; }
    public int Resident { get; set; }

    public bool IsUnused => Active.Count == 0 && Delayed.Count == 0 && Connections.Count == 0 && Unsettled == 0;

    /// <summary>Messages taken out of the lists whose outcome is still being carried out.</summary>
    public int Unsettled { get; set; }

    public override string ToString() => $"{Binding.Group.Name}/{Binding.Name} {Domain.Name}";
}
