using System.Collections.Concurrent;
using Veredus.Cluster;
using Veredus.Configuration;
using Veredus.Logging;
using Veredus.Moves;
using Veredus.Smtp;
using Veredus.Spool;

namespace Veredus.Node.Moves;

/// <summary>Mail between nodes: what has to leave goes to the owner of its binding, and what others hand over is taken, once.</summary>
internal sealed class MailMoves : IAsyncDisposable
{
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(100), s_idleTick = TimeSpan.FromSeconds(1), s_quiet = TimeSpan.FromMinutes(1);

    private readonly PeerChannel _channel;
    private readonly BindingPresence _presence;
    private readonly MoveLedger _ledger = new();
    private readonly LedgerFile _file;
    private readonly Lock _gate = new();
    private readonly MoveSender _sender;
    private readonly ConcurrentDictionary<(string, string), long> _told = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _relocating;
    private TaskCompletionSource _placesChanged = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _received, _sent, _known, _refused, _loops;

    public MailMoves(VeredusNode node, PeerChannel channel, BindingPresence presence)
    {
        (Node, _channel, _presence) = (node, channel, presence);
        var global = node.Configuration.Current.Global;
        _file = LedgerFile.Open(global.Get(Options.Spoolbase), _ledger, NowMs, global.Get(Options.ForceFsync), text => Tell(PanicLevel.Error, text));
        var clock = new DeadlineClock(node.Time);
        Clock = clock;
        Sessions = new(clock);
        _sender = new(this, channel);
        channel.MembershipChanged += TakeMembers;
        TakeMembers(channel.Membership);
        channel.Offer(new MoveReceiver(this));
        presence.Changed += OnPlacesChanged;
        _relocating = Task.Run(() => RelocateAsync(_stopping.Token));
    }

    public VeredusNode Node { get; }

    public SmtpSessions Sessions { get; }

    public DeadlineClock Clock { get; }

    /// <summary>The node is stopping or was drained: it takes nothing more.</summary>
    public bool IsLeaving { get; set; }

    public MoveStatistics Statistics
    {
        get
        {
            lock (_gate)
            {
                return new(Volatile.Read(ref _sent), Volatile.Read(ref _received), Volatile.Read(ref _known), Volatile.Read(ref _refused),
                    Volatile.Read(ref _loops), _ledger.InDoubt, Node.Delivery.MovesInDoubt, _ledger.Count);
            }
        }
    }

    public IReadOnlyList<MoveTargetLine> Targets => _sender.Report();

    /// <summary>Messages of which another node may have a copy: its answer never came.</summary>
    public IReadOnlyList<LedgerEntry> InDoubt()
    {
        lock (_gate)
            return [.. _ledger.Entries.Where(entry => entry.State is LedgerState.InDoubt)];
    }

    /// <summary>Where a message went that was here; <see langword="null"/>: it never left, or too long ago.</summary>
    public LedgerEntry? Trace(MessageId id)
    {
        lock (_gate)
        {
            var own = TransferState.LineageOf(Node.Spool.Id, id);
            return _ledger.Find(own) ?? _ledger.Entries.Where(entry => entry.LocalId == id.Value).Cast<LedgerEntry?>().FirstOrDefault();
        }
    }

    /// <summary>Whether a node is in the cluster now.</summary>
    public bool IsMember(string node) => _presence.IsMember(node);

    /// <summary>Gives all mail away as fast as it goes, also that of static bindings; or stops doing so.</summary>
    public bool IsDrained
    {
        get => _presence.IsDrained;
        set => _presence.SetDrained(value);
    }

    /// <summary>A message found in the spool at start. <see langword="false"/>: it was handed over before the process ended, and only has to go.</summary>
    public bool Recover(StoredMessage message, Envelope envelope, out string? doubtNode, out long doubtSince)
    {
        (doubtNode, doubtSince) = (null, 0);
        var (lineage, generation) = IdentityOf(envelope);
        lock (_gate)
        {
            if (_ledger.HasLeft(lineage, generation, message.Id.Value))
                return false;
            var entry = _ledger.Find(lineage);
            if (entry is { State: LedgerState.InDoubt } doubt)
                (doubtNode, doubtSince) = (doubt.Node, doubt.AtMs);
            else if (envelope.Transfer is not null && entry is not { State: LedgerState.Here })
                _file.Note(_ledger.Stored(lineage, generation, message.Id.Value, NowMs));
        }
        return true;
    }

    /// <summary>Whether this node has, or has had, a message that stands in another node's spool.</summary>
    public bool IsKnown(Envelope envelope)
    {
        var transfer = envelope.Transfer!;
        lock (_gate)
            return _ledger.Find(transfer.Lineage) is { } entry && (entry.State is not LedgerState.Gone || transfer.Generation < entry.Generation);
    }

    /// <summary>A message came in from another spool: the same one is not taken again by another way.</summary>
    public void Imported(MessageId id, Envelope envelope)
    {
        if (envelope.Transfer is { } transfer)
            lock (_gate)
                _file.Note(_ledger.Stored(transfer.Lineage, transfer.Generation, id.Value, NowMs));
    }

    /// <summary>Why a message is not taken, whatever is known of it; <see langword="null"/>: it may be.</summary>
    public SmtpReply? Refusal(MoveText offered, string from)
    {
        if (IsLeaving || !Node.IsReady)
            return MoveReplies.Leaving;
        if (!Node.Recovery.IsCompleted)
            return MoveReplies.ReadingSpool;
        if (Node.Spool.Fault is not null)
            return MoveReplies.Fault;
        if (!Node.Spool.HasRoomFor(2 * offered.Size))
            return MoveReplies.NoRoom;
        if (offered.Binding == "default" || Node.Configuration.Current.GroupOf(offered.Binding) is not null)
            return null;
        TellOnce(offered.Binding, from, PanicLevel.Error, $"mmove: {from} hands mail of binding '{offered.Binding}' over, which is not configured here: it stays there until both nodes have the same bindings");
        return MoveReplies.UnknownBinding(offered.Binding);
    }

    public Arrival Arrive(MoveText offered)
    {
        lock (_gate)
        {
            var arrival = _ledger.Arrive(offered.Transfer, offered.Generation, LocalId(offered.Transfer), NowMs, out var changed);
            if (changed is { } entry)
                _file.Note(entry);
            if (arrival is Arrival.Known)
                _known++;
            return arrival;
        }
    }

    public void NotStored(MoveText offered)
    {
        Interlocked.Increment(ref _refused);
        lock (_gate)
            _ledger.NotStored(offered.Transfer);
    }

    /// <summary>Makes a message durable; 250 only then. It is queued once it is known to have come, also after a power cut.</summary>
    public async ValueTask<SmtpReply> StoreAsync(MoveText offered, SpoolBody body, ClusterPeer peer)
    {
        var id = MessageId.Parse(offered.Id);
        if (Node.Spool.TryFind(id, out _))
            id = Node.Ids.Next();
        var envelope = offered.ToEnvelope(id, peer.NodeName);
        envelope = envelope with { BindingGroup = Node.Configuration.Current.GroupOf(envelope.Binding) ?? envelope.BindingGroup };
        if (Node.Configuration.Current.Get(ScopeKinds.Cluster, Options.UnconditionalRebind))
        {
            var (group, binding) = Node.Assigner.Reassign(envelope);
            envelope = envelope with { BindingGroup = group, Binding = binding };
        }
        CommitResult commit;
        try
        {
            commit = await Node.Spool.CommitAsync(body, [envelope]);
        }
        catch (ArgumentException)
        {
            return MoveReplies.Busy;  // the ID was taken at this very moment
        }
        if (commit.Status is not CommitStatus.Durable)
        {
            TellOnce("store", commit.Status.ToString(), PanicLevel.Error, $"mmove: a message of {peer.NodeName} was not taken: {commit.Reason}");
            return commit.Status is CommitStatus.NoSpace ? MoveReplies.NoRoom : MoveReplies.Fault;
        }
        var stored = commit.Messages[0];
        LogReception(stored, envelope, peer);
        Interlocked.Increment(ref _received);
        if (MoveRules.MustHold(envelope.Transfer!.Hops))
        {
            Interlocked.Increment(ref _loops);
            TellOnce("loop", "", PanicLevel.Warning, $"mmove: message {id} came over {envelope.Transfer.Hops} nodes, from {peer.NodeName}: the nodes disagree about who owns {envelope.Binding}; it stays here for {MoveRules.LoopHoldMs / 1000} s");
        }
        lock (_gate)
            _file.Note(_ledger.Stored(offered.Transfer, offered.Generation, id.Value, NowMs), () => Node.Delivery.Recover(stored, envelope));
        return new(250, new(2, 0, 0), $"OK id={id}");
    }

    /// <summary>Before a message goes out.</summary>
    public LedgerEntry Sending(Envelope envelope, string node)
    {
        var (lineage, generation) = IdentityOf(envelope);
        lock (_gate)
        {
            var entry = _ledger.Sending(lineage, generation, envelope.Id.Value, node, NowMs);
            _file.Note(entry);
            return entry;
        }
    }

    public void Sent(LedgerEntry sending)
    {
        Interlocked.Increment(ref _sent);
        lock (_gate)
            _file.Note(_ledger.Sent(sending.Lineage, sending.Generation, sending.LocalId, sending.Node, NowMs));
    }

    public void Refused(LedgerEntry sending)
    {
        lock (_gate)
            _file.Note(_ledger.Refused(sending.Lineage, sending.Generation, sending.LocalId, NowMs));
    }

    public void Tell(PanicLevel level, string text) => Node.Logs.Panic(level, PanicSubsystems.Net, "mmove", text);

    /// <summary>Says the same about the same thing at most once a minute.</summary>
    public void TellOnce(string about, string what, PanicLevel level, string text)
    {
        var now = Node.Time.GetTimestamp();
        var last = _told.GetValueOrDefault((about, what));
        if (last != 0 && Node.Time.GetElapsedTime(last, now) < s_quiet)
            return;
        if (_told.Count > 10_000)
            _told.Clear();
        _told[(about, what)] = now;
        Tell(level, text);
    }

    public async ValueTask DisposeAsync()
    {
        _channel.MembershipChanged -= TakeMembers;
        _presence.Changed -= OnPlacesChanged;
        await _stopping.CancelAsync();
        await _relocating;
        await _sender.DisposeAsync();
        await _file.DisposeAsync();
        Clock.Dispose();
        _stopping.Dispose();
    }

    private long NowMs => Node.Time.GetUtcNow().ToUnixTimeMilliseconds();

    private (Guid Lineage, uint Generation) IdentityOf(Envelope envelope) =>
        envelope.Transfer is { } transfer ? (transfer.Lineage, transfer.Generation) : (TransferState.LineageOf(Node.Spool.Id, envelope.Id), 0);

    /// <summary>The ID here of a message that left this spool as what it is named for, if it is still here.</summary>
    private ulong? LocalId(Guid lineage)
    {
        Span<byte> name = stackalloc byte[16], own = stackalloc byte[16];
        lineage.TryWriteBytes(name);
        Node.Spool.Id.TryWriteBytes(own);
        if (!name[..8].SequenceEqual(own[..8]))
            return null;
        var id = new MessageId(BitConverter.ToUInt64(name[8..]) ^ BitConverter.ToUInt64(own[8..]));
        return Node.Spool.TryFind(id, out _) ? id.Value : null;
    }

    private void TakeMembers(ClusterMembership membership)
    {
        _presence.SetMembers(membership.Members.Select(member => member.Hello).OfType<Hello>()
            .Where(hello => hello.Kind is MemberKind.Veredus && hello.Address.Port != 0 && hello.NodeName != _channel.NodeName).Select(hello => hello.NodeName));
        _sender.MembersChanged();
    }

    private void OnPlacesChanged(string group, string binding) => Volatile.Read(ref _placesChanged).TrySetResult();

    private async Task RelocateAsync(CancellationToken cancellationToken)
    {
        var (expireAt, pace) = (0L, new MigrationPace(Node.Time));
        try
        {
            while (true)
            {
                Volatile.Write(ref _placesChanged, new(TaskCreationOptions.RunContinuationsAsynchronously));
                var (isHurried, most) = (_presence.IsDrained, pace.Allowed());
                var reassigns = Node.Configuration.Current.Get(ScopeKinds.Cluster, Options.UnconditionalRebind);
                var done = await Node.Delivery.RelocateAsync(isHurried ? int.MaxValue : most, reassigns, cancellationToken);
                if (!isHurried)
                    pace.Took(done);
                _sender.Wake();
                if (NowMs >= expireAt)
                {
                    expireAt = NowMs + 10_000;
                    lock (_gate)
                    {
                        _ledger.Expire(NowMs, id => Node.Spool.TryFind(new(id), out _));
                        if (_file.IsLong)
                            _file.Rewrite(_ledger);
                    }
                }
                await Task.Delay(s_tick, Node.Time, cancellationToken);
                if (done == 0 && Node.Delivery.MoveQueues().All(queue => queue.Waiting + queue.Paused == 0))
                    await Task.WhenAny(Volatile.Read(ref _placesChanged).Task, Task.Delay(s_idleTick, Node.Time, cancellationToken));
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
        catch (OperationCanceledException)
        {
            // The node stops.
        }
        catch (Exception fault)  // fenced off: mail of other nodes' bindings waits, all other mail flows
        {
            Tell(PanicLevel.Critical, $"mmove: stopped by a fault; mail for other nodes waits until this node is started again: {fault}");
        }
    }

    private void LogReception(StoredMessage message, Envelope envelope, ClusterPeer peer)
    {
        Node.Statistics.Received(message.Size);
        var (sender, recipient) = (new EnvelopeAddress(envelope.Sender), new EnvelopeAddress(envelope.Recipient));
        Node.Logs.Write(new ReceptionRecord
        {
            Time = Node.Time.GetUtcNow().ToUnixTimeSeconds(),
            MessageId = LogId.From(envelope.Id),
            BatchId = LogId.From(envelope.BatchId),
            ConnectionId = envelope.ConnectionId.Value == 0 ? default : LogId.From(envelope.ConnectionId),
            RecipientLocalpart = recipient.LocalPart.ToString(),
            RecipientDomain = recipient.Domain.ToString(),
            SenderLocalpart = sender.LocalPart.ToString(),
            SenderDomain = sender.Domain.ToString(),
            ClientAddress = (peer.RemoteAddress as System.Net.IPEndPoint)?.Address,
            Size = message.Size,
            Protocol = "xfer",
            BindingGroup = envelope.BindingGroup,
            Binding = envelope.Binding,
            Facts = new() { ConnectionContext = envelope.ConnectionContext, MessageContext = envelope.MessageContext },
        });
    }
}

/// <summary>What has moved since the start.</summary>
/// <param name="Known">Messages offered that were here already.</param>
/// <param name="Loops">Messages that came over too many nodes (<c>mmove_loops</c>).</param>
/// <param name="InDoubt">Sent and not answered now.</param>
/// <param name="GivenUp">Went on although another node may have them: each may be delivered twice.</param>
/// <param name="Remembered">Messages that the ledger knows.</param>
public sealed record MoveStatistics(long Sent, long Received, long Known, long Refused, long Loops, int InDoubt, long GivenUp, int Remembered);

/// <summary>One node that mail is handed to.</summary>
/// <param name="Failures">Tries in a row that failed.</param>
/// <param name="NextTry">When it is tried again; <see langword="null"/>: at once.</param>
/// <param name="LastError">Empty: none.</param>
public sealed record MoveTargetLine(string Node, int Waiting, int Paused, int Connections, long Sent, int Failures, DateTimeOffset? NextTry, string LastError);
