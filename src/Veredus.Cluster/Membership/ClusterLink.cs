using System.Net;

namespace Veredus.Cluster;

/// <summary>Who a process is in the control group, and how it gets there.</summary>
public sealed record ClusterLinkSettings
{
    public required MemberKind Kind { get; init; }

    /// <summary>Unique in the cluster: of two with one name, the one that started later leaves.</summary>
    public required string NodeName { get; init; }

    /// <summary>Lower case, one word.</summary>
    public string Subcluster { get; init; } = "default";

    public required string Version { get; init; }

    /// <summary>Where its ECCluster listener answers; 0.0.0.0:0 for one without.</summary>
    public IPEndPoint Address { get; init; } = new(IPAddress.Any, 0);

    public required Incarnation Incarnation { get; init; }

    /// <summary>The groups that this process is in, for display.</summary>
    public IReadOnlyList<string> Groups { get; init; } = [];

    /// <summary>The control group (<c>control_group</c>), joined by all nodes and managers.</summary>
    public required Func<IGroupBus> OpenBus { get; init; }

    /// <summary>Takes one line for the operator; from the link's own task.</summary>
    public required Action<string> Log { get; init; }
}

/// <summary>Takes what the control group delivers, in its one order, on the link's own task. Must be quick and must not throw.</summary>
public interface IClusterLinkListener
{
    /// <summary>The membership after a view or an introduction. Empty: not connected.</summary>
    /// <param name="isView">A view: what was sent before and has not been delivered yet may be lost.</param>
    void OnMembership(ClusterMembership membership, bool isView);

    /// <summary>A message of another channel than <see cref="ClusterChannel.Membership"/>, one's own included.</summary>
    void OnMessage(MemberId sender, ReadOnlyMemory<byte> payload);
}

/// <summary>
/// A process as a member of the control group: it introduces itself whenever the membership changes, knows who else is there with which ECCluster address, and
/// hands on what the others say. Nodes and managers have one each, whether or not they have virtual addresses.
/// </summary>
public sealed class ClusterLink(ClusterLinkSettings settings) : IAsyncDisposable
{
    private readonly List<IClusterLinkListener> _listeners = [];
    private readonly TaskCompletionSource<string> _expelled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly byte[] _hello = new Hello(settings.Kind, settings.NodeName, settings.Subcluster, settings.Version, settings.Address, settings.Groups, settings.Incarnation).Encode();
    private volatile ClusterMembership _membership = ClusterMembership.Disconnected;
    private volatile TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private IGroupBus? _bus;
    private Task _reading = Task.CompletedTask;
    private string _lastFault = "";

    public ClusterLinkSettings Settings => settings;

    /// <summary>Who is in the group, as of the last event.</summary>
    public ClusterMembership Membership => _membership;

    /// <summary>Completes, with the reason, when this process had to leave because its name is in use elsewhere.</summary>
    public Task<string> Expelled => _expelled.Task;

    /// <summary>Returns when the membership is as wanted.</summary>
    public async Task UntilAsync(Func<ClusterMembership, bool> isWanted, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            var changed = _changed.Task;
            if (isWanted(_membership))
                return;
            await changed.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Adds a listener; before <see cref="Start"/>.</summary>
    public void Add(IClusterLinkListener listener) => _listeners.Add(listener);

    /// <summary>Joins; the bus tries again by itself when it can't be reached.</summary>
    public void Start()
    {
        _bus = settings.OpenBus();
        _reading = Task.Run(() => ReadAsync(_bus));
    }

    /// <summary>Sends to all members, oneself included; see <see cref="IGroupBus.Send"/>.</summary>
    public SendOutcome Send(ReadOnlySpan<byte> message) => _bus is { } bus && !_expelled.Task.IsCompleted ? bus.Send(message) : SendOutcome.NotJoined;

    /// <summary>Leaves and joins again.</summary>
    public void Reset(string reason) => _bus?.Reset(reason);

    public async ValueTask DisposeAsync()
    {
        if (_bus is { } bus)
            await bus.DisposeAsync();
        await _reading;
    }

    private async Task ReadAsync(IGroupBus bus)
    {
        try
        {
            await foreach (var happened in bus.Events.ReadAllAsync())
                Take(bus, happened);
        }
        catch (Exception failure)
        {
            // A bug in the bus or in a listener: without the group this process is deaf, but what else it does goes on.
            settings.Log($"cluster: the link to the control group ended by a fault: {failure}");
        }
        Publish(ClusterMembership.Disconnected, isView: false);
    }

    private void Take(IGroupBus bus, GroupEvent happened)
    {
        if (_expelled.Task.IsCompleted)
            return;
        switch (happened)
        {
            case GroupEvent.Message(var sender, var payload) when payload.Length > 0 && payload.Span[0] != (byte)ClusterChannel.Membership:
                foreach (var listener in _listeners)
                    listener.OnMessage(sender, payload);
                return;
            case GroupEvent.Lost(var reason) when reason != _lastFault:
                settings.Log($"cluster: control group: {reason}; trying again");
                _lastFault = reason;
                break;
            case GroupEvent.View:
                _lastFault = "";
                bus.Send(_hello);
                break;
            case GroupEvent.Drained or GroupEvent.Hosts:
                return;
        }
        Publish(_membership.Apply(happened, bus.Self), happened is GroupEvent.View);
        if (_membership.NameConflict() is { } conflict)
            Expel(bus, conflict);
    }

    private void Expel(IGroupBus bus, string conflict)
    {
        settings.Log($"{conflict}; this process leaves the control group: give it another nodename and start it again");
        Publish(ClusterMembership.Disconnected, isView: false);
        _expelled.TrySetResult(conflict);
        // Its reader is this very task: it ends with the bus.
        _ = bus.DisposeAsync().AsTask();
    }

    private void Publish(ClusterMembership membership, bool isView)
    {
        _membership = membership;
        foreach (var listener in _listeners)
            listener.OnMembership(membership, isView);
        var changed = _changed;
        _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        changed.SetResult();
    }
}
