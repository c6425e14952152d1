namespace Veredus.Duravip;

/// <summary>Delivered messages, and what they change while the table is agreed (R6).</summary>
public sealed partial class DuravipMachine
{
    private const int DigestHistory = 512;
    private readonly (ulong Number, ulong Digest)[] _digests = new (ulong, ulong)[DigestHistory];
    private int _damaged;
    private bool _moveInFlight;
    private uint _rounds;

    private void OnDelivered(MemberId sender, ReadOnlySpan<byte> payload)
    {
        if (!_joined)
            return;
        switch (_assembler.Add(sender, payload, out var header, out var message))
        {
            case ChunkResult.Partial:
                return;
            case ChunkResult.Damaged:
                // The first, the second, the fourth, ...: a sender of another version must not fill the log.
                if (((_damaged + 1) & _damaged++) == 0)
                    Log(LogLevelHint.Warning, $"duravip: {_damaged} messages ignored so far, the last from {sender}: damaged, or not of protocol version {MessageCodec.Version}");
                return;
        }
        _lastHeard[sender] = _now;
        if (_debug)
            Trace($"duravip: got {message} from {sender} in {header.View}");
        switch (message)
        {
            case HeartbeatMessage heartbeat:
                OnHeartbeat(sender, header, heartbeat);
                return;
            case NeighbourMessage neighbours:
                Neighbours.Merge(neighbours.Neighbours, _now);
                return;
            case ViewOpenMessage open:
                OnViewOpen(header, open);
                return;
        }
        var index = _members.IndexOf(sender);
        if (_view.IsNone || header.View != _view || index < 0)
            return;
        _ordered++;
        if (Phase == ProtocolPhase.Gather)
            OnGathering(index, header.Incarnation, message!);
        else if (Phase == ProtocolPhase.Run && _table!.Present.Contains(index) && _table.Members[index]!.Incarnation == header.Incarnation)
            OnRunning(index, message!);
        if (Phase == ProtocolPhase.Run)
            _digests[_ordered % DigestHistory] = (_ordered, _table!.Digest);
    }

    private void EnterRun(AgreedTable table)
    {
        var wasMature = _mature;
        _table = table;
        Phase = ProtocolPhase.Run;
        table.Derive(Remember, _now);
        _mature |= table.IsMature;
        table.ElectWhereNeeded(ChangeReason.Elected);
        _excludeDue = long.MaxValue;
        _gainedMembers = false;
        _known.Clear();
        foreach (var n in table.Present)
        {
            var member = table.Members[n]!;
            _known[member.Id] = (member.Incarnation, member.Configuration);
            _lastHeard[member.Id] = _now;
        }
        _deliveredConfiguration = table.Members[_me]!.Configuration.Digest;
        _scores.Reserve(table.Rows.Count, table.Members.Length);
        foreach (var local in _locals.Values)
        {
            local.ReleaseInFlight = false;
            EndQuarantine(local);
        }
        foreach (var address in _memory.Keys.Where(address => table.Find(address) is null).ToList())
            _memory.Remove(address);
        _balanceDue = _now + _options.ViewBalanceIntervalMs;
        _agrees.Clear();
        ReportMismatches(table);
        ReportPinTimes(table);
        ReportMarks();
        ReportChanges(wasMature ? ChangeReason.Failover : ChangeReason.Elected, opened: true);
        _departed.Clear();
        SampleNeighbours();
        AttendAll();
    }

    private void OnRunning(int sender, DuravipMessage message)
    {
        var table = _table!;
        table.Number = _ordered;
        switch (message)
        {
            case ReleasedMessage released:
                foreach (var address in released.Addresses)
                {
                    if (sender == _me && _locals.TryGetValue(address, out var local))
                        local.ReleaseInFlight = false;
                    if (table.Find(address) is { } row)
                    {
                        table.Released(row, sender, released.AsOf);
                        RecordReleased(row, sender);
                    }
                    Attend(address);
                }
                break;
            case AcquiredMessage acquired:
                foreach (var address in acquired.Addresses)
                {
                    if (table.Find(address) is not { } row)
                        continue;
                    table.Acquired(row, sender);
                    RecordAcquired(row, sender);
                    Attend(address);
                }
                break;
            case FailMessage fail when table.Find(fail.Address) is { } row:
                FailDelivered(sender, fail.Address);
                table.Failed(row, sender, ChangeReason.Failover, _now);
                break;
            case AnnounceMessage announce:
                OnAnnounce(table, sender, announce);
                break;
            case MoveMessage move:
                OnMove(table, sender, move);
                break;
            case UnpinMessage unpin:
                table.RemovePins(unpin.Units);
                break;
            case SuspectMessage suspect when table.IndexOf(suspect.Member) is >= 0 and var q && table.Present.Contains(q)
                && HeardInView(suspect.Member) == suspect.Heard:
                if (q == _me)
                {
                    OnVotedOut();
                    return;
                }
                Log(LogLevelHint.Warning, $"duravip: member {table.NameOf(q)} sent no heartbeat for {SuspectMs / 1000}s, excluded");
                _knownExcluded.Add(suspect.Member);
                _departed.Add((table.NameOf(q), DepartureReason.ProcessDeath));
                table.Exclude(q, ChangeReason.Failover);
                table.Derive(Remember, _now);
                table.ElectWhereNeeded(ChangeReason.Failover);
                ReportMarks();
                AttendAll();
                break;
            case MatureMessage when !table.IsMature:
                table.IsMature = _mature = true;
                table.ElectWhereNeeded(ChangeReason.Elected);
                AttendAll();
                break;
        }
        ReportChanges(null, opened: false);
    }

    private void OnAnnounce(AgreedTable table, int sender, AnnounceMessage announce)
    {
        var member = table.Members[sender]!;
        var reason = announce.Draining && !member.IsDraining ? ChangeReason.Drain
            : announce.Failed.Count > 0 ? ChangeReason.Failover : ChangeReason.Reload;
        member.Configuration.Apply(announce);
        (member.IsDraining, member.Weight) = (announce.Draining, announce.Weight);
        foreach (var row in table.Rows)
            row.Failed = row.Failed.Without(sender);
        foreach (var address in announce.Failed)
        {
            var row = table.Add(address, Remember);
            row.Failed = row.Failed.With(sender);
        }
        if (sender == _me)
        {
            _deliveredConfiguration = member.Configuration.Digest;
            foreach (var local in _locals.Values)
                EndQuarantine(local);
        }
        table.Derive(Remember, _now);
        table.ElectWhereNeeded(reason);
        ReportMarks();
        AttendAll();
    }

    private void OnMove(AgreedTable table, int sender, MoveMessage move)
    {
        if (sender == _me)
            _moveInFlight = false;
        var reason = move.Kind switch
        {
            MoveKind.Preference => ChangeReason.Preference,
            MoveKind.Balance => ChangeReason.Balance,
            MoveKind.Operator => ChangeReason.Move,
            _ => ChangeReason.Broken,
        };
        foreach (var unit in move.Moves)
        {
            if (!table.Move(unit, move.Kind, reason))
            {
                Trace($"duravip: {unit.Unit}: {ReasonText.Of(reason)} from {unit.From} to {unit.To} came too late, ignored");
                continue;
            }
            if (move.Kind == MoveKind.Operator)
            {
                table.SetPin(unit.Unit, table.NameOf(table.IndexOf(unit.To!.Value)), move.PinMs);
                _pinEnds[unit.Unit] = move.PinMs > 0 ? _now + move.PinMs : long.MaxValue;
            }
        }
        if (move.Kind == MoveKind.Operator)
            table.SettleAll();
        _operator = (move.By, move.Why);
    }
}
