using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace Veredus.Duravip;

/// <summary>The fields of each message, written and read in the same order.</summary>
internal static class MessageBody
{
    private const int MaxPins = VipSet.MaxVips * 2;
    private const int MaxNeighbours = 4_096;
    private const ulong MaxMs = 1UL << 40;

    private enum Kind : byte
    {
        ViewOpen = 1, State, Exclude, Mature, Announce, Move, Unpin, Released, Acquired, Fail, Suspect, Heartbeat, Neighbours,
    }

    public static void Write(MessageWriter writer, DuravipMessage message)
    {
        switch (message)
        {
            case HeartbeatMessage heartbeat:
                writer.Byte((byte)Kind.Heartbeat);
                writer.Number(heartbeat.Counter);
                writer.Number(heartbeat.Number);
                writer.Number(heartbeat.Digest);
                break;
            case ViewOpenMessage open:
                writer.Byte((byte)Kind.ViewOpen);
                writer.Members(open.Members);
                break;
            case StateMessage state:
                writer.Byte((byte)Kind.State);
                WriteState(writer, state);
                break;
            case ExcludeMessage exclude:
                writer.Byte((byte)Kind.Exclude);
                writer.Members(exclude.Members);
                break;
            case MatureMessage:
                writer.Byte((byte)Kind.Mature);
                break;
            case AnnounceMessage announce:
                writer.Byte((byte)Kind.Announce);
                writer.Flag(announce.Complete);
                writer.Entries(announce.Changed);
                writer.Addresses(announce.Removed);
                writer.Addresses(announce.Failed);
                writer.Flag(announce.Draining);
                writer.Count(announce.Weight);
                break;
            case MoveMessage move:
                writer.Byte((byte)Kind.Move);
                WriteMove(writer, move);
                break;
            case UnpinMessage unpin:
                writer.Byte((byte)Kind.Unpin);
                writer.Addresses(unpin.Units);
                break;
            case ReleasedMessage released:
                writer.Byte((byte)Kind.Released);
                writer.Number(released.AsOf);
                writer.Addresses(released.Addresses);
                break;
            case AcquiredMessage acquired:
                writer.Byte((byte)Kind.Acquired);
                writer.Addresses(acquired.Addresses);
                break;
            case FailMessage fail:
                writer.Byte((byte)Kind.Fail);
                writer.Address(fail.Address);
                writer.Text(Clip(fail.Error, 200));
                break;
            case SuspectMessage suspect:
                writer.Byte((byte)Kind.Suspect);
                writer.Member(suspect.Member);
                writer.Number(suspect.Heard);
                break;
            case NeighbourMessage neighbours:
                writer.Byte((byte)Kind.Neighbours);
                writer.Count(neighbours.Neighbours.Count);
                foreach (var neighbour in neighbours.Neighbours)
                {
                    writer.Address(neighbour.Address);
                    writer.Number(neighbour.Mac);
                }
                break;
            default:
                throw new ArgumentException($"No encoding for {message.GetType().Name}.", nameof(message));
        }
    }

    public static bool TryRead(ReadOnlySpan<byte> payload, [NotNullWhen(true)] out DuravipMessage? message)
    {
        var reader = new MessageReader(payload);
        message = (Kind)reader.Byte() switch
        {
            Kind.Heartbeat => new HeartbeatMessage(reader.Number(), reader.Number(), reader.Number()),
            Kind.ViewOpen => new ViewOpenMessage(reader.Members()),
            Kind.State => ReadState(ref reader),
            Kind.Exclude => new ExcludeMessage(reader.Members()),
            Kind.Mature => new MatureMessage(),
            Kind.Announce => new AnnounceMessage
            {
                Complete = reader.Flag(),
                Changed = reader.Entries(),
                Removed = reader.Addresses(),
                Failed = reader.Addresses(),
                Draining = reader.Flag(),
                Weight = Weight(ref reader),
            },
            Kind.Move => ReadMove(ref reader),
            Kind.Unpin => new UnpinMessage(reader.Addresses()),
            Kind.Released => new ReleasedMessage(reader.Number(), reader.Addresses()),
            Kind.Acquired => new AcquiredMessage(reader.Addresses()),
            Kind.Fail => new FailMessage(reader.Address(), reader.Text()),
            Kind.Suspect => new SuspectMessage(reader.Member(), (uint)reader.Number(uint.MaxValue)),
            Kind.Neighbours => new NeighbourMessage(ReadNeighbours(ref reader)),
            _ => null,
        };
        if (message is null || reader.Failed || !reader.AtEnd)
            message = null;
        return message is not null;
    }

    private static void WriteState(MessageWriter writer, StateMessage state)
    {
        writer.Text(state.Node);
        writer.Byte((byte)state.Role);
        writer.Flag(state.Mature);
        writer.Flag(state.Draining);
        writer.Count(state.Weight);
        writer.Count(state.BalanceSetSize);
        writer.Number((ulong)state.GuardRemainingMs);
        writer.Number(state.ConfigurationDigest);
        writer.Flag(state.Entries is not null);
        if (state.Entries is not null)
            writer.Entries(state.Entries);
        writer.Addresses(state.Held);
        writer.Addresses(state.Failed);
        writer.Count(state.Pins.Count);
        foreach (var pin in state.Pins)
        {
            writer.Address(pin.Unit);
            writer.Text(pin.Node);
            writer.Number(pin.Sequence);
            writer.Number((ulong)pin.RemainingMs);
        }
        writer.Members(state.Excluded);
    }

    private static StateMessage ReadState(ref MessageReader reader) => new()
    {
        Node = Name(ref reader, emptyIsValid: false),
        Role = (MemberRole)reader.Byte((byte)MemberRole.Other),
        Mature = reader.Flag(),
        Draining = reader.Flag(),
        Weight = Weight(ref reader),
        BalanceSetSize = (int)reader.Number(VipSet.MaxVips),
        GuardRemainingMs = (long)reader.Number(MaxMs),
        ConfigurationDigest = reader.Number(),
        Entries = reader.Flag() ? reader.Entries() : null,
        Held = reader.Addresses(),
        Failed = reader.Addresses(),
        Pins = ReadPins(ref reader),
        Excluded = reader.Members(),
    };

    private static List<Pin> ReadPins(ref MessageReader reader)
    {
        var count = reader.Count(MaxPins, 8);
        var pins = new List<Pin>(count);
        for (var i = 0; i < count && !reader.Failed; i++)
            pins.Add(new(reader.Address(), Name(ref reader, emptyIsValid: true), reader.Number(), (long)reader.Number(MaxMs)));
        return pins;
    }

    private static void WriteMove(MessageWriter writer, MoveMessage move)
    {
        writer.Byte((byte)move.Kind);
        writer.Number(move.Round);
        writer.Count(move.SetSize);
        writer.Number((ulong)move.PinMs);
        writer.Count(move.Moves.Length);
        foreach (var unit in move.Moves)
        {
            writer.Address(unit.Unit);
            writer.Member(unit.From);
            writer.Flag(unit.To is not null);
            if (unit.To is { } to)
                writer.Member(to);
        }
        writer.Text(Clip(move.By, 64));
        writer.Text(Clip(move.Why, 200));
    }

    private static MoveMessage ReadMove(ref MessageReader reader)
    {
        var kind = (MoveKind)reader.Byte((byte)MoveKind.GraceOver);
        var round = (uint)reader.Number(uint.MaxValue);
        var size = (int)reader.Number(VipSet.MaxVips);
        var pin = (long)reader.Number(MaxMs);
        var count = reader.Count(VipSet.MaxVips, 8);
        var moves = ImmutableArray.CreateBuilder<UnitMove>(count);
        for (var i = 0; i < count && !reader.Failed; i++)
            moves.Add(new(reader.Address(), reader.Member(), reader.Flag() ? reader.Member() : null));
        return new(kind, round, size, pin, moves.DrainToImmutable(), reader.Text(), reader.Text());
    }

    private static List<Neighbour> ReadNeighbours(ref MessageReader reader)
    {
        var count = reader.Count(MaxNeighbours, 6);
        var neighbours = new List<Neighbour>(count);
        for (var i = 0; i < count && !reader.Failed; i++)
            neighbours.Add(new(reader.Address(), reader.Number((1UL << 48) - 1)));
        return neighbours;
    }

    private static int Weight(ref MessageReader reader) => Math.Max(1, (int)reader.Number(1_000));

    /// <summary>A node name that breaks the rule makes the message damaged: names end up in logs and sort orders.</summary>
    private static string Name(ref MessageReader reader, bool emptyIsValid)
    {
        var name = reader.Text();
        if (!reader.Failed && !NodeName.IsValid(name) && !(emptyIsValid && name.Length == 0))
            reader.Reject();
        return name;
    }

    private static string Clip(string text, int max) => text.Length <= max ? text : text[..max];
}
