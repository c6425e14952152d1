using System.IO.Pipelines;

namespace Veredus.LogShipping;

/// <summary>A node whose journals can be read.</summary>
public sealed record LogNode(string Name, string Subcluster);

/// <summary>An open connection to a node's service <c>logs</c>; disposing it closes it.</summary>
public interface ILogConnection : IAsyncDisposable
{
    IDuplexPipe Transport { get; }
}

/// <summary>Where the collector finds nodes.</summary>
public interface ILogSource
{
    /// <summary>The nodes of this moment.</summary>
    IReadOnlyList<LogNode> Nodes { get; }

    /// <summary>Connects to a node's service <c>logs</c>.</summary>
    /// <exception cref="IOException">It can't be reached, or it refuses; the message says why.</exception>
    Task<ILogConnection> ConnectAsync(LogNode node, CancellationToken cancellationToken);
}
