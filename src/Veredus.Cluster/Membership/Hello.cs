using System.Net;
using System.Text;

namespace Veredus.Cluster;

/// <summary>Which part of the node a message in the cluster's group is for: its first octet.</summary>
public enum ClusterChannel : byte
{
    Membership = 1,
    Duravip = 2,
    Replication = 3,
    Commands = 4,
}

/// <summary>What a process is in the cluster.</summary>
public enum MemberKind : byte
{
    /// <summary>A node: it carries mail and may own addresses.</summary>
    Veredus = 1,
    Manager = 2,
    Other = 3,
}

/// <summary>What each member says of itself whenever the membership changes.</summary>
/// <param name="Address">Where its ECCluster listener answers; 0.0.0.0:0 for one without.</param>
/// <param name="Groups">The groups that it has joined.</param>
/// <remarks>Message: 0 channel u8 (1) · 1 version u8 (1) · 2 kind u8 · 3 incarnation u64, little-endian · 11 name, subcluster, version, address, and the groups
/// behind their count (u8), each text with a length octet, UTF-8.</remarks>
public sealed record Hello(
    MemberKind Kind, string NodeName, string Subcluster, string Version, IPEndPoint Address, IReadOnlyList<string> Groups, Incarnation Incarnation)
{
    private const byte Format = 1;
    private const int MaxGroups = 64;

    public byte[] Encode()
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write((byte)ClusterChannel.Membership);
        writer.Write(Format);
        writer.Write((byte)Kind);
        writer.Write(Incarnation.Value);
        foreach (var text in (string[])[NodeName, Subcluster, Version, Address.ToString()])
            Write(writer, text);
        writer.Write((byte)Groups.Count);
        foreach (var group in Groups)
            Write(writer, group);
        return stream.ToArray();
    }

    /// <summary>Reads a message of the membership channel; <see langword="null"/> for another channel, another version, torn or foreign bytes.</summary>
    public static Hello? TryRead(ReadOnlySpan<byte> message)
    {
        if (message.Length < 12 || message[0] != (byte)ClusterChannel.Membership || message[1] != Format)
            return null;
        var (kind, incarnation) = ((MemberKind)message[2], System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(message[3..]));
        var rest = message[11..];
        if (!TryReadText(ref rest, out var name) || !TryReadText(ref rest, out var subcluster) || !TryReadText(ref rest, out var version)
            || !TryReadText(ref rest, out var address) || !IPEndPoint.TryParse(address, out var endpoint) || rest.IsEmpty || rest[0] > MaxGroups)
            return null;
        var groups = new string[rest[0]];
        rest = rest[1..];
        for (var i = 0; i < groups.Length; i++)
            if (!TryReadText(ref rest, out groups[i]))
                return null;
        return new(kind, name, subcluster, version, endpoint, groups, new(incarnation));
    }

    private static void Write(BinaryWriter writer, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        if (bytes.Length > byte.MaxValue)
            throw new ArgumentException($"'{text}' is longer than 255 octets.", nameof(text));
        writer.Write((byte)bytes.Length);
        writer.Write(bytes);
    }

    private static bool TryReadText(ref ReadOnlySpan<byte> rest, out string text)
    {
        text = "";
        if (rest.IsEmpty || rest.Length < 1 + rest[0])
            return false;
        text = Encoding.UTF8.GetString(rest.Slice(1, rest[0]));
        rest = rest[(1 + rest[0])..];
        return true;
    }
}
