namespace Veredus.ConfigServer;

/// <summary>A server in both its forms: as git sees it, and its control API.</summary>
public sealed record ServerLink(Remote Remote, ConfigClient Client) : IDisposable
{
    public void Dispose() => Client.Dispose();
}

/// <summary>The way from a host to its configuration servers: the sources of <c>cluster.boot</c>, pinned keys, credentials.</summary>
/// <param name="etc">Where <c>.eccfg/known_servers</c> lies.</param>
/// <param name="password">Asked for when it is needed first.</param>
/// <param name="authority">A file of certificate authorities that is trusted in place of pinned keys (<c>--ca</c>).</param>
public sealed class ServerAccess(string etc, ClusterBoot boot, string user, Func<string> password, TimeProvider time, string? authority = null)
{
    /// <summary>The sources of <c>repo</c>, in order; <c>local</c> is this host, <c>auto</c> the first server and then all that it has named since.</summary>
    public IEnumerable<(string Host, int Port)> Servers => (boot.Repo ?? ["auto"]).SelectMany(source => source switch
    {
        "local" => [("localhost", ConfigServerOptions.DefaultPort)],
        "auto" => new KnownServers(etc).All().Prepend(HostAndPort(boot.FirstServer ?? "localhost")),
        _ => [HostAndPort(source)],
    }).Distinct();

    /// <exception cref="EccfgException">Neither.</exception>
    public static (string Host, int Port) HostAndPort(string text)
    {
        var at = text.LastIndexOf(':');
        if (at < 0 || text.EndsWith(']'))
            return (text, ConfigServerOptions.DefaultPort);
        return int.TryParse(text.AsSpan(at + 1), out var port) && port is > 0 and < 65536 ? (text[..at], port) : throw new EccfgException(EccfgExit.Usage, $"'{text}' is no host or host:port");
    }

    /// <exception cref="EccfgException">Its key is not pinned here.</exception>
    public ServerLink Open(string host, int port)
    {
        if (authority is not null)
            return new(Remote.Https(host, port, user, password(), authority), ConfigClient.ByAuthority(host, port, user, password(), authority, time));
        var pinned = new KnownServers(etc).FileOf(host, port);
        if (!File.Exists(pinned))
            throw new EccfgException(EccfgExit.Unreachable, $"the key of {host}:{port} is not known here; 'eccfg bootstrap' pins it");
        return new(Remote.Https(host, port, user, password(), pinned), new(host, port, user, password(), File.ReadAllText(pinned), time, pinned));
    }

    /// <summary>Works with the first server that can be reached.</summary>
    public async Task<T> FirstAsync<T>(Func<Remote, ConfigClient, Task<T>> work, CancellationToken cancellationToken)
    {
        EccfgException? last = null;
        foreach (var (host, port) in Servers)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                try
                {
                    using var link = Open(host, port);
                    return await work(link.Remote, link.Client);
                }
                catch (UntrustedServerException)
                {
                    // git knows only the pinned certificate: asked over the API, a server with a renewed one and the same key is pinned anew.
                    using var link = Open(host, port);
                    await link.Client.StatusAsync(cancellationToken);
                }
                using var again = Open(host, port);
                return await work(again.Remote, again.Client);
            }
            catch (EccfgException exception) when (exception.ExitCode == EccfgExit.Unreachable)
            {
                last = exception;
            }
        }
        throw last ?? new EccfgException("cluster.boot names no server (repo)");
    }

    /// <summary>Works with the master of a repository, which the first reachable server names; where <c>global</c> has another one, the remote knows it.</summary>
    public Task<T> WithMasterAsync<T>(string repository, Func<Remote, ConfigClient, Task<T>> work, CancellationToken cancellationToken) => FirstAsync(async (_, client) =>
    {
        var status = await client.StatusAsync(cancellationToken);
        using var master = OpenMaster(status, repository);
        var masters = status.Repositories.ToDictionary(known => known.Name, known => known.Master);
        using var global = masters.GetValueOrDefault(WorkingCopy.GlobalName) is { } other && other != masters[repository] ? OpenKnown(status, other) : null;
        return await work(global is null ? master.Remote : master.Remote with { Elsewhere = new Dictionary<string, ServerLink> { [WorkingCopy.GlobalName] = global } }, master.Client);
    }, cancellationToken);

    /// <summary>Where the master is. A server that is trusted vouches for the keys of the others.</summary>
    public ServerLink OpenMaster(ServerStatus status, string repository)
    {
        var found = status.Repositories.FirstOrDefault(known => known.Name == repository)
            ?? throw new EccfgException($"there is no subcluster {repository}; there are: {string.Join(' ', status.Repositories.Select(known => known.Name))}");
        return OpenKnown(status, found.Master ?? throw new EccfgException(EccfgExit.Unreachable, $"{repository} has no master now; try again in a moment"));
    }

    /// <summary>One of the servers that a trusted one knows.</summary>
    public ServerLink OpenKnown(ServerStatus status, string name)
    {
        var server = status.Servers.FirstOrDefault(server => server.Name == name) ?? throw new EccfgException(EccfgExit.Unreachable, $"{name} is no configuration server that {status.Node} sees now; try again in a moment");
        if (authority is null)
            new KnownServers(etc).Learn(server);
        return Open(server.Host, server.Port);
    }
}
