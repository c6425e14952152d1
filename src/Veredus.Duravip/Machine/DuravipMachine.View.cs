using System.Collections.Immutable;

namespace Veredus.Duravip;

/// <summary>Membership and gathering (R1–R5).</summary>
public sealed partial class DuravipMachine
{
    /// <summary>A STATE as recorded, with what arrived after it.</summary>
    private sealed class Gathered(StateMessage state, ulong incarnation, MemberConfiguration configuration)
    {
        public StateMessage State { get; set; } = state;
        public ulong Incarnation { get; } = incarnation;
        public MemberConfiguration Configuration { get; set; } = configuration;
        public HashSet<VipAddress> Held { get; } = [.. state.Held];
        public HashSet<VipAddress> Failed { get; set; } = [.. state.Failed];
    }

    private readonly Dictionary<MemberId, (ulong Incarnation, MemberConfiguration Configuration)> _known = [];
    private readonly HashSet<MemberId> _knownExcluded = [];
    private readonly HashSet<VipAddress> _reported = [];
    private readonly List<(string Name, DepartureReason Reason)> _departed = [];
    private Gathered?[] _gathered = [];
    private MemberSet _excluded;
    private bool _gainedMembers = true;
    private ulong _deliveredConfiguration;
    private long _membershipSince;
    private long _openDue = long.MaxValue;
    private long _excludeDue = long.MaxValue;
    private long _guardUntil;

    private void OnJoined(JoinedEvent joined)
    {
        // This join was under way when the decision to leave fell (a reset, a vote): it is left, and a new one follows.
        if (_leaving)
            return;
        (_self, _incarnation) = (joined.Self, joined.Incarnation);
        (_joined, _rejoining, _gainedMembers, _mature, _viewsOpened) = (true, false, true, false, 0);
        _joinedAt = _now;
        _heartbeatDue = _now;
        _knownExcluded.Clear();
        _known.Clear();
        _lastHeard.Clear();
        _firstSeen.Clear();
        _sentAt.Clear();
        _ownHeardAt = _now;
        _evidenceAt = long.MinValue / 2;
    }

    /// <summary>R1.</summary>
    private void OnViewChanged(ViewChangedEvent changed)
    {
        if (!_joined)
            return;
        var members = changed.Members.Sort();
        if (!members.Contains(_self))
            return;
        NoteDepartures(changed.Left);
        Phase = ProtocolPhase.Gather;
        _view = ViewId.None;
        _members = members;
        _me = members.IndexOf(_self);
        _gainedMembers |= !changed.Joined.IsEmpty;
        _membershipSince = _now;
        _assembler.Reset();
        _gathered = [];
        _reported.Clear();
        _excludeDue = long.MaxValue;
        _moveInFlight = false;
        foreach (var departure in changed.Left)
            _knownExcluded.Remove(departure.Member);
        foreach (var member in changed.Joined)
            _knownExcluded.Remove(member);
        foreach (var member in members)
            _firstSeen.TryAdd(member, _now);
        foreach (var local in _locals.Values)
            local.MustTell |= !changed.Joined.IsEmpty && local.IsHeld;
        var rank = 0;
        for (var n = 0; n < _me; n++)
            rank += _knownExcluded.Contains(members[n]) ? 0 : 1;
        _openDue = rank == 0 ? _now : _now + OpenRetryMs * (1 + rank);
        AttendAll();
    }

    private void NoteDepartures(ImmutableArray<Departure> left)
    {
        foreach (var departure in left)
        {
            _lastHeard.Remove(departure.Member);
            _firstSeen.Remove(departure.Member);
            if (departure.Reason == DepartureReason.NodeDown && _options.ClaimGuard)
                _guardUntil = Math.Max(_guardUntil, _now + _options.ClaimGuardMs);
            if (_table is null || _table.IndexOf(departure.Member) is var n && (n < 0 || _table.Members[n] is null))
                continue;
            var name = _table.NameOf(n);
            _departed.Add((name, departure.Reason));
            foreach (var row in _table.Rows)
            {
                if (row.Owner == n)
                    Log(LogLevelHint.Info, $"duravip: {row.Address}: owner {name} left ({ReasonText.Of(departure.Reason)}), electing");
            }
        }
    }

    private void OnQuorumChanged(bool quorate)
    {
        if (quorate && !_quorate && _options.ClaimGuard)
        {
            // Who was quorate until now may have been lost this very moment, and nobody here need have waited for its loss to show.
            _guardUntil = Math.Max(_guardUntil, _now + _options.AddressesGoneAfterMs);
            foreach (var row in (IEnumerable<VipRow>?)_table?.Rows ?? [])
                row.WasHeldInView = !row.Holders.IsEmpty;
        }
        _quorate = quorate;
        AttendAll();
    }

    private void OpenView()
    {
        // Unique because the incarnation is; never none.
        var view = new ViewId(Mixing.Combine(_incarnation, ++_viewsOpened) | 1);
        Send(new ViewOpenMessage(_members), view);
    }

    /// <summary>R2.</summary>
    private void OnViewOpen(MessageHeader header, ViewOpenMessage open)
    {
        if (Phase != ProtocolPhase.Gather || !_view.IsNone || header.View.IsNone || !open.Members.AsSpan().SequenceEqual(_members.AsSpan()))
            return;
        _view = header.View;
        _ordered = 0;
        _heardInView.Clear();
        _gathered = new Gathered?[_members.Length];
        _excluded = MemberSet.Empty;
        _openDue = long.MaxValue;
        _excludeDue = _now + GatherTimeoutMs + OpenRetryMs * _me;
        SendState();
    }

    private long GatherTimeoutMs =>
        (_weaknesses & Weaknesses.ShortSuspicion) != 0 ? ShortSuspicionMs : _options.EffectiveGatherTimeoutMs;

    private void SendState()
    {
        _reported.Clear();
        foreach (var local in _locals.Values)
        {
            if (local.IsHeld)
                _reported.Add(local.Address);
            local.ReleaseInFlight = local.FailInFlight = false;
        }
        var known = !_gainedMembers && _deliveredConfiguration == _configuration.Digest;
        Send(new StateMessage
        {
            Node = Node,
            Role = Role,
            Mature = _mature,
            Draining = _draining,
            Weight = _options.Weight,
            BalanceSetSize = _options.BalanceSetSize,
            GuardRemainingMs = Math.Max(0, _guardUntil - _now),
            ConfigurationDigest = _configuration.Digest,
            Entries = known ? null : [.. _configuration.Entries.Values],
            Held = [.. _reported],
            Failed = FailedAddresses(),
            Pins = _table is null ? [] : [.. _table.Pins.Select(pin => pin with { RemainingMs = RemainingOf(pin) })],
            Excluded = [.. _knownExcluded],
        });
    }

    /// <summary>R3, and what may arrive while states are collected.</summary>
    private void OnGathering(int sender, ulong incarnation, DuravipMessage message)
    {
        var gathered = _gathered[sender];
        if (_excluded.Contains(sender) || gathered is not null && gathered.Incarnation != incarnation)
            return;
        switch (message)
        {
            case StateMessage state when gathered is null:
                Record(sender, incarnation, state);
                break;
            case ReleasedMessage released when gathered is not null:
                foreach (var address in released.Addresses)
                    gathered.Held.Remove(address);
                break;
            case FailMessage fail when gathered is not null:
                gathered.Held.Remove(fail.Address);
                gathered.Failed.Add(fail.Address);
                FailDelivered(sender, fail.Address);
                break;
            case AnnounceMessage announce when gathered is not null:
                // What was known before this view stays as it was, in case the view does not come about.
                gathered.Configuration = new(gathered.Configuration.Entries.Values);
                gathered.Configuration.Apply(announce);
                gathered.State = gathered.State with { Draining = announce.Draining, Weight = announce.Weight };
                gathered.Failed = [.. announce.Failed];
                break;
            case SuspectMessage suspect when _members.IndexOf(suspect.Member) is >= 0 and var n && HeardInView(suspect.Member) == suspect.Heard:
                ExcludeWhileGathering(n);
                break;
            case ExcludeMessage exclude:
                foreach (var member in exclude.Members)
                {
                    if (_members.IndexOf(member) is >= 0 and var n && _gathered[n] is null)
                    {
                        Log(LogLevelHint.Warning, $"duravip: member {member} sent no state for {GatherTimeoutMs / 1000}s, excluded");
                        ExcludeWhileGathering(n);
                    }
                }
                break;
        }
        if (Phase == ProtocolPhase.Gather)
            EnterRunIfComplete();
    }

    private void Record(int sender, ulong incarnation, StateMessage state)
    {
        MemberConfiguration configuration;
        if (state.Entries is not null)
        {
            configuration = new(state.Entries);
        }
        else if (_known.TryGetValue(_members[sender], out var known) && known.Incarnation == incarnation && known.Configuration.Digest == state.ConfigurationDigest)
        {
            configuration = known.Configuration;
        }
        else
        {
            Log(LogLevelHint.Error, $"duravip: the configuration of {state.Node} is not known here; rejoining");
            DropAndRejoin(leave: true);
            return;
        }
        _gathered[sender] = new(state, incarnation, configuration);
        foreach (var member in state.Excluded)
        {
            if (_members.IndexOf(member) is >= 0 and var n && _gathered[n] is null)
                ExcludeWhileGathering(n);
        }
    }

    private void ExcludeWhileGathering(int member)
    {
        if (member == _me)
        {
            OnVotedOut();
            return;
        }
        _excluded = _excluded.With(member);
        _gathered[member] = null;
        _knownExcluded.Add(_members[member]);
    }

    private void OnVotedOut()
    {
        Log(LogLevelHint.Error, "duravip: this node was excluded/suspected; all addresses dropped, rejoining");
        DropAndRejoin(leave: true);
    }

    /// <summary>R4: everybody has said what it has, or is out.</summary>
    private void EnterRunIfComplete()
    {
        for (var n = 0; n < _gathered.Length; n++)
        {
            if (_gathered[n] is null && !_excluded.Contains(n))
                return;
        }
        var members = Array.ConvertAll(_gathered, (gathered) => gathered);
        var view = new ViewMember?[members.Length];
        for (var n = 0; n < members.Length; n++)
        {
            if (members[n] is { } gathered)
                view[n] = new(_members[n], gathered.Incarnation, gathered.State, gathered.Configuration);
        }
        var table = new AgreedTable(_view, _members, view, _scores, (_weaknesses & Weaknesses.OwnerIsNoHolder) == 0) { Number = _ordered };
        for (var n = 0; n < members.Length; n++)
        {
            if (members[n] is not { } gathered)
                continue;
            foreach (var address in gathered.Held)
            {
                var row = table.Add(address, Remember);
                table.SetHolders(row, row.Holders.With(n));
                row.IsServed = true;
            }
            foreach (var address in gathered.Failed)
            {
                var row = table.Add(address, Remember);
                row.Failed = row.Failed.With(n);
            }
            table.MergePins(gathered.State.Pins);
            table.IsMature |= gathered.State.Mature;
            _guardUntil = Math.Max(_guardUntil, _now + Math.Min(gathered.State.GuardRemainingMs, _options.AddressesGoneAfterMs));
        }
        EnterRun(table);
    }
}
