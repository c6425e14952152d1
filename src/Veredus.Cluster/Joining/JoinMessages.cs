using System.Buffers;
using System.Text.Json.Serialization;

namespace Veredus.Cluster;

/// <summary>Who wants to join.</summary>
/// <param name="Secret">The token's.</param>
/// <param name="Node">Its node name.</param>
/// <param name="Addresses">Its addresses on the bus' links; none for a manager beside a node, which uses that node's bus.</param>
/// <param name="Key">Its public key, SubjectPublicKeyInfo in base64: the private one never leaves it.</param>
public sealed record JoinRequest(string Secret, string Node, IReadOnlyList<string> Addresses, string Key);

/// <summary>A block of addresses that the cluster's virtual ones are in.</summary>
public sealed record JoinTopology(string Network, string Interface);

/// <summary>All that a member needs, or why it does not get it.</summary>
public sealed record JoinGrant
{
    /// <summary>Why not; empty in a grant.</summary>
    public string Error { get; init; } = "";
    public string Cluster { get; init; } = "";
    /// <summary>The member's certificate, PEM.</summary>
    public string Certificate { get; init; } = "";
    /// <summary>The authority's certificate, PEM.</summary>
    public string Authority { get; init; } = "";
    /// <summary>In base64.</summary>
    public string BusKey { get; init; } = "";
    /// <summary>Entries of <c>msgc_server { peers }</c>: name, "address[,address] id".</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Peers { get; init; } = [];
    public int Port { get; init; }
    /// <summary><c>msgc_server { timing }</c>: <c>default</c> or <c>fast</c>.</summary>
    public string Timing { get; init; } = "default";
    public IReadOnlyList<JoinTopology> Topology { get; init; } = [];
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(JoinRequest))]
[JsonSerializable(typeof(JoinGrant))]
internal sealed partial class JoinJson : JsonSerializerContext;

/// <summary>One line of JSON each way.</summary>
internal static class JoinWire
{
    private const int MaxLine = 256 * 1024;

    public static async Task WriteAsync(Stream stream, byte[] json, CancellationToken cancellationToken)
    {
        await stream.WriteAsync((byte[])[.. json, (byte)'\n'], cancellationToken);
        await stream.FlushAsync(cancellationToken);
    }

    /// <exception cref="IOException">The peer ended early or sent too much.</exception>
    public static async Task<byte[]> ReadAsync(Stream stream, CancellationToken cancellationToken)
    {
        var line = new ArrayBufferWriter<byte>(1024);
        while (line.WrittenCount < MaxLine)
        {
            var count = await stream.ReadAsync(line.GetMemory(1024), cancellationToken);
            if (count == 0)
                throw new IOException("The connection ended before everything was said.");
            line.Advance(count);
            if (line.WrittenSpan[^1] == (byte)'\n')
                return line.WrittenSpan[..^1].ToArray();
        }
        throw new IOException($"More than {MaxLine} bytes in one line.");
    }
}
