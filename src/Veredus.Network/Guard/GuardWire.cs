using System.Buffers.Binary;
using System.Net;
using System.Text;

namespace Veredus.Network;

/// <summary>What travels between the node and its guard.</summary>
internal enum GuardVerb : byte
{
    // Node to guard. Each is answered by Results with the same id, except Beat.
    Configure = 1, Clean = 2, Add = 3, Remove = 4, Probe = 5, Announce = 6, Beat = 7,
    // Guard to node.
    Results = 64, ProbeResults = 65, LeaseExpired = 66, Vanished = 67,
}

/// <summary>One frame: its verb, the request's id, and what follows.</summary>
internal readonly record struct GuardFrame(GuardVerb Verb, uint Id, ReadOnlyMemory<byte> Body);

/// <summary>The bytes of the guard's protocol.</summary>
/// <remarks>Frame: 0 length of what follows u32, little-endian · 4 verb u8 · 5 id u32 · 9 body. Addresses: count u32, then for each a
/// length octet (4 or 16) and the octets. Texts: as <see cref="BinaryWriter"/> writes them. Both ends are of one build and one host.</remarks>
internal static class GuardWire
{
    public const int HeaderSize = 9;
    /// <summary>10 240 results with an explanation each stay well below.</summary>
    public const int MaxFrame = 8 * 1024 * 1024;
    /// <summary>Ten times the limit of addresses on a node.</summary>
    private const int MaxCount = 102_400;

    public static byte[] Frame(GuardVerb verb, uint id, Action<BinaryWriter>? body = null)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream, Encoding.UTF8);
        writer.Write(0);
        writer.Write((byte)verb);
        writer.Write(id);
        body?.Invoke(writer);
        writer.Flush();
        var bytes = stream.ToArray();
        BinaryPrimitives.WriteInt32LittleEndian(bytes, bytes.Length - 4);
        return bytes;
    }

    /// <summary>Takes one frame off the front of <paramref name="buffer"/>. The body is a view into it.</summary>
    /// <exception cref="InvalidDataException">A length that no frame has: the stream is not ours.</exception>
    public static bool TryRead(ref ReadOnlyMemory<byte> buffer, out GuardFrame frame)
    {
        frame = default;
        if (buffer.Length < HeaderSize)
            return false;
        var length = BinaryPrimitives.ReadInt32LittleEndian(buffer.Span);
        if (length is < HeaderSize - 4 or > MaxFrame)
            throw new InvalidDataException($"A guard frame of {length} octets can't be; between {HeaderSize - 4} and {MaxFrame} can.");
        if (buffer.Length < 4 + length)
            return false;
        frame = new((GuardVerb)buffer.Span[4], BinaryPrimitives.ReadUInt32LittleEndian(buffer.Span[5..]), buffer[HeaderSize..(4 + length)]);
        buffer = buffer[(4 + length)..];
        return true;
    }

    public static BinaryReader Reader(ReadOnlyMemory<byte> body) => new(new MemoryStream(body.ToArray()), Encoding.UTF8);

    public static void Write(BinaryWriter writer, IReadOnlyCollection<IPAddress> addresses)
    {
        writer.Write(addresses.Count);
        foreach (var address in addresses)
            Write(writer, address);
    }

    public static IPAddress[] ReadAddresses(BinaryReader reader) => ReadList(reader, ReadAddress);

    public static void Write(BinaryWriter writer, GuardSettings settings)
    {
        writer.Write(settings.Topology.Blocks.Count);
        foreach (var block in settings.Topology.Blocks)
        {
            Write(writer, block.Network.BaseAddress);
            writer.Write((byte)block.Network.PrefixLength);
            writer.Write(block.Interface);
            writer.Write((byte)block.AliasPrefixLength);
        }
        Write(writer, settings.Reserved);
        writer.Write(settings.Lease.Ticks);
        writer.Write(settings.Hold.Ticks);
    }

    public static GuardSettings ReadSettings(BinaryReader reader) => new(
        new Topology(ReadList(reader, static reader =>
            new TopologyBlock(new IPNetwork(ReadAddress(reader), reader.ReadByte()), reader.ReadString(), reader.ReadByte()))),
        ReadAddresses(reader), new TimeSpan(reader.ReadInt64()), new TimeSpan(reader.ReadInt64()));

    public static void Write(BinaryWriter writer, IReadOnlyCollection<GuardResult> results)
    {
        writer.Write(results.Count);
        foreach (var result in results)
        {
            Write(writer, result.Address);
            writer.Write((byte)result.Outcome);
            writer.Write(result.Errno);
            writer.Write(result.Detail);
        }
    }

    public static GuardResult[] ReadResults(BinaryReader reader) => ReadList(reader, static reader =>
        new GuardResult(ReadAddress(reader), (GuardOutcome)reader.ReadByte(), reader.ReadInt32(), reader.ReadString()));

    public static void Write(BinaryWriter writer, IReadOnlyCollection<ProbeAnswer> answers)
    {
        writer.Write(answers.Count);
        foreach (var answer in answers)
        {
            Write(writer, answer.Address);
            Write(writer, answer.By);
        }
    }

    public static ProbeAnswer[] ReadProbeAnswers(BinaryReader reader) =>
        ReadList(reader, static reader => new ProbeAnswer(ReadAddress(reader), ReadMac(reader)));

    public static void Write(BinaryWriter writer, IReadOnlyCollection<NeighbourInfo> neighbours)
    {
        writer.Write(neighbours.Count);
        foreach (var neighbour in neighbours)
        {
            Write(writer, neighbour.Address);
            Write(writer, neighbour.Mac);
        }
    }

    /// <summary>Neighbours carry no interface: the Topology says where each is.</summary>
    public static NeighbourInfo[] ReadNeighbours(BinaryReader reader) =>
        ReadList(reader, static reader => new NeighbourInfo(0, ReadAddress(reader), ReadMac(reader)));

    private static T[] ReadList<T>(BinaryReader reader, Func<BinaryReader, T> readOne)
    {
        var count = reader.ReadInt32();
        if (count is < 0 or > MaxCount)
            throw new InvalidDataException($"A list of {count} entries; at most {MaxCount} can be.");
        var list = new List<T>(Math.Min(count, 1024));  // the count is not believed before the entries are there
        for (var i = 0; i < count; i++)
            list.Add(readOne(reader));
        return [.. list];
    }

    private static void Write(BinaryWriter writer, IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var size);
        writer.Write((byte)size);
        writer.Write(bytes[..size]);
    }

    private static IPAddress ReadAddress(BinaryReader reader)
    {
        var size = reader.ReadByte();
        if (size is not (4 or 16))
            throw new InvalidDataException($"An address of {size} octets; 4 or 16 can be.");
        Span<byte> bytes = stackalloc byte[16];
        reader.BaseStream.ReadExactly(bytes[..size]);
        return new IPAddress(bytes[..size]);
    }

    private static void Write(BinaryWriter writer, MacAddress mac)
    {
        Span<byte> bytes = stackalloc byte[6];
        mac.WriteTo(bytes);
        writer.Write(bytes);
    }

    private static MacAddress ReadMac(BinaryReader reader)
    {
        Span<byte> bytes = stackalloc byte[6];
        reader.BaseStream.ReadExactly(bytes);
        return MacAddress.FromBytes(bytes);
    }
}
