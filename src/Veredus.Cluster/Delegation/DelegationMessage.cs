using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Veredus.Cluster;

/// <summary>Names one delegated command: which run of which member gave it, and its number there. Numbers of one run rise in the order sent.</summary>
public readonly record struct CommandId(Incarnation Origin, uint Number)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Origin}-{Number:x}");

    public static bool TryParse(string text, out CommandId id)
    {
        id = default;
        if (text.Split('-') is not [var origin, var number] || !Incarnation.TryParse(origin, out var run) || !uint.TryParse(number, NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var value))
            return false;
        id = new(run, value);
        return true;
    }
}

/// <summary>CMD: a console command for other members.</summary>
/// <param name="Id">Each node carries it out once.</param>
/// <param name="Origin">Name of the member where it was given.</param>
/// <param name="Caller">On whose behalf.</param>
/// <param name="Addressees">The runs of nodes that shall carry it out, as the origin saw them: a node that starts later is not meant.</param>
/// <param name="Limit">A node gives up on it after this time.</param>
/// <param name="Text">One line, at most <see cref="DelegationLimits.MaxCommandBytes"/>.</param>
public sealed record DelegatedCommand(CommandId Id, string Origin, DelegationCaller Caller, IReadOnlyList<Incarnation> Addressees, TimeSpan Limit, string Text);

/// <summary>RESULT: what one node answers.</summary>
/// <param name="Bytes">Length of the body.</param>
/// <param name="Body">The body itself; empty when it has to be fetched by the <c>result</c> service.</param>
public sealed record DelegatedResult(CommandId Id, string Node, int Code, string Text, int Bytes, ReadOnlyMemory<byte> Body)
{
    public bool IsToFetch => Bytes > 0 && Body.IsEmpty;
}

/// <summary>Bounds of delegation.</summary>
public static class DelegationLimits
{
    /// <summary>Octets of a command line.</summary>
    public const int MaxCommandBytes = 64 * 1024;

    /// <summary>Roles of a caller.</summary>
    public const int MaxRoles = 256;

    /// <summary>Octets of an answer that travels by multicast; more is fetched from the node.</summary>
    public const int MaxMulticastBytes = 48 * 1024;

    /// <summary>Octets of an answer by multicast where the node has no ECCluster listener to fetch it from.</summary>
    public const int MaxMulticastBytesAlone = 1024 * 1024;

    /// <summary>Octets of an answer; what follows is cut off, and the answer says so.</summary>
    public const int MaxOutputBytes = 16 * 1024 * 1024;

    /// <summary>Octets of answers that a node keeps to be fetched; the oldest go first.</summary>
    public const int MaxKeptBytes = 64 * 1024 * 1024;
}

/// <summary>Writes and reads the messages of <see cref="ClusterChannel.Commands"/>. Reading is total.</summary>
/// <remarks>0 channel u8 (4) · 1 version u8 (1) · 2 kind u8 (1 CMD, 2 RESULT) · 3 incarnation u64 · 11 number u32 · then texts with a u32 length, lists with a u16 count;
/// little-endian, UTF-8. CMD: origin, user, roles, addressees (incarnation u64), limit in ms u32, text. RESULT: node, code u32, text, bytes u32, body.</remarks>
public static class DelegationCodec
{
    private const byte Format = 1, Command = 1, Result = 2;
    private const int MaxName = 1024;

    public static byte[] Encode(DelegatedCommand command)
    {
        using var stream = new MemoryStream();
        using var writer = Begin(stream, Command, command.Id);
        Write(writer, command.Origin);
        Write(writer, command.Caller.User);
        writer.Write((ushort)command.Caller.Roles.Count);
        foreach (var role in command.Caller.Roles)
            Write(writer, role);
        writer.Write((ushort)command.Addressees.Count);
        foreach (var member in command.Addressees)
            writer.Write(member.Value);
        writer.Write((uint)Math.Clamp(command.Limit.TotalMilliseconds, 0, uint.MaxValue));
        Write(writer, command.Text);
        return stream.ToArray();
    }

    public static byte[] Encode(DelegatedResult result)
    {
        using var stream = new MemoryStream(result.Body.Length + 256);
        using var writer = Begin(stream, Result, result.Id);
        Write(writer, result.Node);
        writer.Write(result.Code);
        Write(writer, result.Text);
        writer.Write(result.Bytes);
        writer.Write(result.Body.Length);
        writer.Write(result.Body.Span);
        return stream.ToArray();
    }

    /// <summary>A <see cref="DelegatedCommand"/> or <see cref="DelegatedResult"/>; <see langword="null"/> for another channel or version, torn or foreign bytes.</summary>
    public static object? TryRead(ReadOnlyMemory<byte> message)
    {
        var span = message.Span;
        if (span.Length < 15 || span[0] != (byte)ClusterChannel.Commands || span[1] != Format)
            return null;
        var id = new CommandId(new(BinaryPrimitives.ReadUInt64LittleEndian(span[3..])), BinaryPrimitives.ReadUInt32LittleEndian(span[11..]));
        var reader = new Reader(message[15..]);
        object? read = span[2] switch { Command => reader.Command(id), Result => reader.Result(id), _ => null };
        return reader.IsSound ? read : null;
    }

    /// <summary>
    /// Whether a message is an answer to a command of another run than <paramref name="self"/>, by its header alone: only observers and the member that gave the command have a use
    /// for it, and with 16 nodes it is 15 of 17 messages of a broadcast.
    /// </summary>
    public static bool IsAnswerToOthers(ReadOnlySpan<byte> message, Incarnation self) =>
        message.Length >= 15 && message[0] == (byte)ClusterChannel.Commands && message[1] == Format && message[2] == Result
        && BinaryPrimitives.ReadUInt64LittleEndian(message[3..]) != self.Value;

    private static BinaryWriter Begin(MemoryStream stream, byte kind, CommandId id)
    {
        var writer = new BinaryWriter(stream);
        writer.Write((byte)ClusterChannel.Commands);
        writer.Write(Format);
        writer.Write(kind);
        writer.Write(id.Origin.Value);
        writer.Write(id.Number);
        return writer;
    }

    private static void Write(BinaryWriter writer, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        writer.Write(bytes.Length);
        writer.Write(bytes);
    }

    private struct Reader(ReadOnlyMemory<byte> rest)
    {
        private ReadOnlyMemory<byte> _rest = rest;

        public bool IsSound { get; private set; } = true;

        public DelegatedCommand Command(CommandId id)
        {
            var (origin, user) = (Text(MaxName), Text(MaxName));
            var roles = new string[Count(DelegationLimits.MaxRoles)];
            for (var i = 0; i < roles.Length; i++)
                roles[i] = Text(MaxName);
            var addressees = new Incarnation[Count(BusLimits.MaxMembers)];
            for (var i = 0; i < addressees.Length; i++)
                addressees[i] = new(Number() | (ulong)Number() << 32);
            var limit = TimeSpan.FromMilliseconds(Number());
            return new(id, origin, new(user, roles), addressees, limit, Text(DelegationLimits.MaxCommandBytes));
        }

        public DelegatedResult Result(CommandId id)
        {
            var (node, code, text, bytes) = (Text(MaxName), (int)Number(), Text(DelegationLimits.MaxMulticastBytes), (int)Number());
            var body = Take((int)Math.Min(Number(), int.MaxValue));
            IsSound &= bytes >= body.Length && bytes <= DelegationLimits.MaxOutputBytes;
            return new(id, node, code, text, bytes, body);
        }

        private ReadOnlyMemory<byte> Take(int count)
        {
            if (!IsSound || (uint)count > (uint)_rest.Length)
            {
                IsSound = false;
                return default;
            }
            var taken = _rest[..count];
            _rest = _rest[count..];
            return taken;
        }

        private uint Number() => Take(4) is { Length: 4 } bytes ? BinaryPrimitives.ReadUInt32LittleEndian(bytes.Span) : 0;

        private int Count(int max)
        {
            int count = Take(2) is { Length: 2 } bytes ? BinaryPrimitives.ReadUInt16LittleEndian(bytes.Span) : 0;
            IsSound &= count <= max;
            return IsSound ? count : 0;
        }

        private string Text(int max)
        {
            var length = Number();
            IsSound &= length <= max;
            return IsSound ? Encoding.UTF8.GetString(Take((int)length).Span) : "";
        }
    }
}
