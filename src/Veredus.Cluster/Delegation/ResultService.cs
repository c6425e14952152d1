using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;

namespace Veredus.Cluster;

/// <summary>Large answers of this node, until they are fetched by all or room is needed.</summary>
internal sealed class ResultStore
{
    private readonly Lock _gate = new();
    private readonly LinkedList<(CommandId Id, ReadOnlyMemory<byte> Body)> _kept = [];
    private long _bytes;

    public void Keep(CommandId id, ReadOnlyMemory<byte> body)
    {
        lock (_gate)
        {
            _kept.AddLast((id, body));
            for (_bytes += body.Length; _bytes > DelegationLimits.MaxKeptBytes && _kept.Count > 1; _kept.RemoveFirst())
                _bytes -= _kept.First!.Value.Body.Length;
        }
    }

    public ReadOnlyMemory<byte>? Find(CommandId id)
    {
        lock (_gate)
        {
            foreach (var (kept, body) in _kept)
                if (kept == id)
                    return body;
            return null;
        }
    }
}

/// <summary>The service <c>result</c> of the ECCluster listener: <c>GET id</c> is answered by <c>250 octets</c> and as many octets, or <c>404 gone</c>.</summary>
internal sealed class ResultService(ResultStore results) : IClusterService
{
    private const int ChunkBytes = 64 * 1024;

    public string Name => "result";

    public async Task ServeAsync(ClusterPeer peer, IDuplexPipe connection, CancellationToken cancellationToken)
    {
        var line = await ChannelLines.ReadAsync(connection.Input, cancellationToken);
        if (!line.StartsWith("GET ", StringComparison.Ordinal) || !CommandId.TryParse(line[4..], out var id))
            await ChannelLines.WriteAsync(connection.Output, "500 GET id", cancellationToken);
        else if (results.Find(id) is not { } body)
            await ChannelLines.WriteAsync(connection.Output, "404 gone: newer answers needed the room", cancellationToken);
        else
        {
            await ChannelLines.WriteAsync(connection.Output, string.Create(CultureInfo.InvariantCulture, $"250 {body.Length}"), cancellationToken);
            for (var at = 0; at < body.Length; at += ChunkBytes)
                await connection.Output.WriteAsync(body.Slice(at, Math.Min(ChunkBytes, body.Length - at)), cancellationToken);
        }
    }

    /// <summary>Asks a node for a body.</summary>
    /// <exception cref="ClusterConnectionException">No connection, or it does not have it any more.</exception>
    /// <exception cref="InvalidDataException">It sends something else.</exception>
    public static async Task<ReadOnlyMemory<byte>> FetchAsync(Hello node, ClusterIdentity identity, Incarnation self, DelegatedResult result, CancellationToken cancellationToken)
    {
        await using var connection = await ClusterConnection.OpenAsync(node, "result", identity, self, cancellationToken);
        var (input, output) = (connection.Transport.Input, connection.Transport.Output);
        await ChannelLines.WriteAsync(output, $"GET {result.Id}", cancellationToken);
        var line = await ChannelLines.ReadAsync(input, cancellationToken);
        if (line.Split(' ') is not ["250", var number] || !int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var bytes) || bytes != result.Bytes)
            throw new ClusterConnectionException(404, $"{node.NodeName} says {line}");
        var body = new byte[bytes];
        for (var at = 0; at < bytes;)
        {
            var read = await input.ReadAsync(cancellationToken);
            var part = read.Buffer.Slice(0, Math.Min(read.Buffer.Length, bytes - at));
            part.CopyTo(body.AsSpan(at));
            at += (int)part.Length;
            input.AdvanceTo(part.End);
            if (read.IsCompleted && at < bytes)
                throw new InvalidDataException($"{node.NodeName} ended the connection after {at} of {bytes} octets");
        }
        return body;
    }
}
