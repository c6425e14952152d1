using System.Collections.Immutable;

namespace Veredus.Duravip;

/// <summary>
/// The DuraVIP protocol of one node as a state machine: an event and the time go in, the state changes, effects come out.
/// No clock, socket or thread: the same events at the same times give the same effects. Not for concurrent use.
/// </summary>
/// <remarks>
/// The driver applies every event of its dispatch queue in order and, whenever the queue is empty,
/// <see cref="QueueDrainedEvent"/>; only that one plumbs, removes, and does what timers made due. Deciding earlier would be
/// deciding without messages that are already here.
/// </remarks>
public sealed partial class DuravipMachine
{
    private const long OpenRetryMs = 1_000;
    private const long BusReconnectMs = 5_000;

    private readonly Weaknesses _weaknesses;
    private readonly ScoreCache _scores = new();
    private readonly MessageAssembler _assembler = new();
    private readonly Dictionary<VipAddress, RowMemory> _memory = [];
    private readonly Dictionary<VipAddress, LocalAddress> _locals = [];
    private readonly Dictionary<MemberId, long> _lastHeard = [];
    private readonly Dictionary<MemberId, long> _firstSeen = [];

    private DuravipOptions _options;
    private VipSet _vips;
    private MemberConfiguration _configuration;

    private MemberId _self;
    private ulong _incarnation;
    private bool _joined;
    private bool _rejoining;
    private bool _leaving;
    private bool _stopping;
    private bool _stopped;
    private bool _draining;
    private bool _quorate;
    private bool _debug;
    private long _joinNotBefore;
    private long _stopDeadline;

    private ImmutableArray<MemberId> _members = [];
    private int _me = -1;
    private ViewId _view;
    private ulong _ordered;
    private ulong _viewsOpened;
    private uint _messages;
    private AgreedTable? _table;
    private bool _mature;

    private long _now;
    private ICollection<DuravipEffect> _effects = null!;

    /// <param name="node">This node's name.</param>
    /// <param name="role">Managers take part in the view and never own anything.</param>
    /// <param name="vips">The addresses that the configuration enables.</param>
    /// <param name="options">The options in force.</param>
    /// <exception cref="ArgumentException">The name breaks the rule for node names.</exception>
    public DuravipMachine(string node, MemberRole role, VipSet vips, DuravipOptions options) : this(node, role, vips, options, Weaknesses.None)
    {
    }

    internal DuravipMachine(string node, MemberRole role, VipSet vips, DuravipOptions options, Weaknesses weaknesses)
    {
        if (!NodeName.IsValid(node))
            throw new ArgumentException($"'{node}' is not a node name (1-63 of a-z, 0-9, hyphen, dot).", nameof(node));
        ArgumentNullException.ThrowIfNull(vips);
        ArgumentNullException.ThrowIfNull(options);
        (Node, Role, _vips, _options, _weaknesses) = (node, role, vips, options, weaknesses);
        _configuration = new(vips.Vips.Select(vip => vip.Entry));
    }

    public string Node { get; }
    public MemberRole Role { get; }
    public ProtocolPhase Phase { get; private set; }

    internal AgreedTable? Table => Phase == ProtocolPhase.Run ? _table : null;
    internal ViewId View => _view;
    internal int Me => _me;
    internal ImmutableArray<MemberId> Members => _members;
    internal IReadOnlyDictionary<VipAddress, LocalAddress> Locals => _locals;
    internal DuravipOptions Options => _options;
    internal VipSet Vips => _vips;
    internal bool IsDraining => _draining;
    internal bool IsStopping => _stopping;
    internal bool IsQuorate => _quorate;
    internal long Now => _now;
    internal ulong Ordered => _ordered;

    /// <summary>Applies one event.</summary>
    /// <param name="happened">What happened.</param>
    /// <param name="nowMs">The time on a monotonic clock, in milliseconds; never before that of the event before.</param>
    /// <param name="effects">Takes what is to be done, in order.</param>
    public void Apply(DuravipEvent happened, long nowMs, ICollection<DuravipEffect> effects)
    {
        ArgumentNullException.ThrowIfNull(happened);
        ArgumentNullException.ThrowIfNull(effects);
        (_now, _effects) = (nowMs, effects);
        switch (happened)
        {
            case DeliveredEvent delivered:
                OnDelivered(delivered.Sender, delivered.Payload.Span);
                break;
            case QueueDrainedEvent:
                OnDrained();
                break;
            case TimerFiredEvent:
                _timerAt = -1;
                break;
            case ViewChangedEvent changed:
                OnViewChanged(changed);
                break;
            case PlumbedEvent plumbed:
                OnPlumbed(plumbed.Operation);
                break;
            case PlumbFailedEvent failed:
                OnPlumbFailed(failed.Operation, failed.Error);
                break;
            case UnplumbedEvent unplumbed:
                OnUnplumbed(unplumbed.Operation);
                break;
            case StartedEvent:
                Emit(new CleanHostEffect());
                break;
            case HostCleanedEvent:
                Emit(new JoinGroupEffect());
                break;
            case JoinedEvent joined:
                OnJoined(joined);
                break;
            case BusLostEvent:
                Log(LogLevelHint.Error, "duravip: bus connection lost; all addresses dropped, reconnecting");
                DropAndRejoin(leave: false);
                _leaving = false;
                _joinNotBefore = nowMs + BusReconnectMs;
                break;
            case QuorumChangedEvent quorum:
                OnQuorumChanged(quorum.IsQuorate);
                break;
            case ReconfiguredEvent reconfigured:
                OnReconfigured(reconfigured);
                break;
            case ServiceFailedEvent failed:
                OnServiceFailed(failed);
                break;
            case ProbeAnsweredEvent answered:
                Log(LogLevelHint.Warning, $"duravip: {answered.Address} answered by {ArpTable.Mac(answered.Mac)}; retrying");
                break;
            case AddressPresentEvent present:
                OnAddressPresent(present);
                break;
            case AddressGoneEvent gone:
                OnAddressGone(gone);
                break;
            case CarrierChangedEvent carrier:
                OnCarrierChanged(carrier);
                break;
            case NeighboursSampledEvent sampled:
                OnNeighboursSampled(sampled);
                break;
            case StopRequestedEvent:
                OnStopRequested();
                break;
            case OperatorCommand command:
                OnCommand(command);
                break;
            default:
                throw new ArgumentException($"Unknown event {happened.GetType().Name}.", nameof(happened));
        }
        if ((_weaknesses & Weaknesses.ActBeforeDrained) != 0 && happened is not QueueDrainedEvent)
            Act();
        _effects = null!;
    }

    private void Emit(DuravipEffect effect) => _effects.Add(effect);

    private void Log(LogLevelHint level, string text) => Emit(new LogEffect(level, text));

    private void Trace(string text)
    {
        if (_debug)
            Log(LogLevelHint.Trace, text);
    }

    private void Send(DuravipMessage message, ViewId? view = null)
    {
        var header = new MessageHeader(view ?? _view, _incarnation);
        Emit(new MulticastEffect(message, MessageCodec.Encode(header, _messages++, message)));
        if (_debug)
            Trace($"duravip: send {message} in {header.View}");
    }

    private RowMemory Remember(VipAddress address)
    {
        if (!_memory.TryGetValue(address, out var memory))
            _memory.Add(address, memory = new(_now));
        return memory;
    }

    private LocalAddress Local(VipAddress address)
    {
        if (!_locals.TryGetValue(address, out var local))
            _locals.Add(address, local = new(address));
        return local;
    }

    private bool HoldsAnything()
    {
        foreach (var local in _locals.Values)
        {
            if (local.IsHeld)
                return true;
        }
        return false;
    }
}
