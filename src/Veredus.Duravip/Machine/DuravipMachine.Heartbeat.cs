namespace Veredus.Duravip;

/// <summary>Heartbeats: the own lease, suspicion of others, comparison of tables.</summary>
public sealed partial class DuravipMachine
{
    private const long ShortSuspicionMs = 1_200;
    private const int KeptSendTimes = 64;

    private readonly Dictionary<ulong, long> _sentAt = [];
    private readonly Dictionary<int, (bool Agrees, ulong Number)> _agrees = [];
    /// <summary>Heartbeats delivered since the view was opened: the same at all members at the same point of the order.</summary>
    private readonly Dictionary<MemberId, uint> _heardInView = [];
    private long _joinedAt;
    private long _heartbeatDue;
    private long _ownHeardAt;
    private long _evidenceAt;
    private ulong _heartbeats;

    private long SuspectMs => (_weaknesses & Weaknesses.ShortSuspicion) != 0 ? ShortSuspicionMs : _options.EffectiveSuspectMs;

    private uint HeardInView(MemberId member) => _heardInView.GetValueOrDefault(member);

    private void SendHeartbeat()
    {
        if (_now < _heartbeatDue)
            return;
        _heartbeatDue = _now + _options.HeartbeatPeriodMs;
        _sentAt[++_heartbeats] = _now;
        _sentAt.Remove(_heartbeats - KeptSendTimes);
        Send(new HeartbeatMessage(_heartbeats, _ordered, Phase == ProtocolPhase.Run ? _table!.Digest : 0));
    }

    private void OnHeartbeat(MemberId sender, MessageHeader header, HeartbeatMessage heartbeat)
    {
        if (!_view.IsNone)
            _heardInView[sender] = HeardInView(sender) + 1;
        if (sender == _self)
        {
            if (header.Incarnation == _incarnation && _sentAt.TryGetValue(heartbeat.Counter, out var sent))
            {
                _ownHeardAt = _now;
                if (!IsProvedAlive)
                    AttendAll();
                _evidenceAt = Math.Max(_evidenceAt, sent);
                // From when it was sent, not delivered: the others count this node's silence from no earlier.
                Emit(new ConfirmAliveEffect(sent));
            }
            return;
        }
        if (Phase != ProtocolPhase.Run || header.View != _view || heartbeat.Digest == 0 || !IsWarmedUp(sender))
            return;
        var index = _table!.IndexOf(sender);
        var (number, digest) = _digests[heartbeat.Number % DigestHistory];
        if (index < 0 || number != heartbeat.Number || number == 0)
            return;
        var agrees = digest == heartbeat.Digest;
        if (!agrees && (!_agrees.TryGetValue(index, out var before) || before.Agrees))
            Log(LogLevelHint.Error, $"duravip: table digest differs from {_table.NameOf(index)}, resynchronising");
        _agrees[index] = (agrees, number);
    }

    /// <summary>
    /// The bus carried an own heartbeat that is not older than H. After a stall the queue can be empty only because the bus
    /// daemon stood still as well and does not know yet what it missed; then nothing may be plumbed.
    /// </summary>
    private bool IsProvedAlive => _now - _evidenceAt <= _options.AliveWindowMs || (_weaknesses & Weaknesses.ActBeforeDrained) != 0;

    /// <summary>Heartbeats count for and against a member only some time after it was first seen, and after the own start.</summary>
    private bool IsWarmedUp(MemberId member) =>
        _now - _joinedAt >= _options.HeartbeatStartDelayMs
        && _firstSeen.TryGetValue(member, out var since) && _now - since >= _options.HeartbeatStartDelayMs;

    /// <summary>The minority drops everything and rejoins; on a tie, those who differ from the first member.</summary>
    private void CompareDigests()
    {
        if (_agrees.Count == 0)
            return;
        var (agreeing, disagreeing) = (1, 0);
        var first = _table!.Leader;
        var agreesWithFirst = first == _me;
        foreach (var (member, (agrees, _)) in _agrees)
        {
            if (!_table.Present.Contains(member))
                continue;
            if (agrees)
                agreeing++;
            else
                disagreeing++;
            agreesWithFirst |= agrees && member == first;
        }
        if (disagreeing == 0 || agreeing + disagreeing < _table.Present.Count)
            return;
        if (agreeing > disagreeing || agreeing == disagreeing && agreesWithFirst)
            return;
        Log(LogLevelHint.Error, "duravip: this node's table differs from the others'; all addresses dropped, rejoining");
        DropAndRejoin(leave: true);
    }

    /// <summary>The leader votes out who has been silent; the next in order if that is the leader.</summary>
    private void SuspectSilent()
    {
        // Who does not hear itself cannot judge others: then it is the bus that is silent.
        if (_now - _ownHeardAt > _options.AliveWindowMs)
            return;
        var silent = new List<MemberId>();
        var judge = -1;
        foreach (var n in _table!.Present)
        {
            var id = _table.Ids[n];
            var delay = (_weaknesses & Weaknesses.ShortSuspicion) != 0 || IsWarmedUp(id);
            if (n != _me && delay && (!_lastHeard.TryGetValue(id, out var heard) || _now - heard >= SuspectMs))
                silent.Add(id);
            else if (judge < 0)
                judge = n;
        }
        if (judge != _me)
            return;
        foreach (var id in silent)
            Send(new SuspectMessage(id, HeardInView(id)));
    }
}
