namespace Veredus.ConfigServer;

public sealed partial class Eccfg
{
    private string? _password;

    private ClusterBoot Boot()
    {
        var path = Path.Combine(_etc, ClusterBoot.FileName);
        return File.Exists(path) ? ClusterBoot.Parse(File.ReadAllText(path), path) : throw new EccfgException($"there is no {path}; 'eccfg bootstrap' makes it");
    }

    private CommitAuthor Author(ClusterBoot boot) => new(User, boot.NodeName, _arguments["message"], _host.Time.GetUtcNow(), _arguments.Has("force"));

    private string User => _arguments.Has("auto") ? ConfigServerHost.ServiceUser : _arguments["username"] ?? _host.Environment("ECCFG_USER") ?? _host.Environment("USER") ?? "admin";

    private string Password()
    {
        if (_password is not null)
            return _password;
        if (_arguments["password"] is not null && !_arguments.Has("quiet"))
            _host.Error.WriteLine("warning: others on this host can read a password on the command line; ECCFG_PASSWORD or --password-stdin is safer");
        var service = Path.Combine(_etc, ".eccfg", "service.password");
        return _password = _arguments["password"] ?? (_arguments.Has("password-stdin") ? _host.In.ReadLine() : null) ?? _host.Environment("ECCFG_PASSWORD")
            ?? (_arguments.Has("auto") && File.Exists(service) ? File.ReadAllText(service).Trim() : null)
            ?? _host.AskSecret?.Invoke($"Password of {User}: ")
            ?? throw new EccfgException(EccfgExit.NotConfirmed, $"a password for {User} is needed and nobody is here to ask: ECCFG_PASSWORD, or --password-stdin");
    }

    private static (string Host, int Port) HostAndPort(string text)
    {
        var at = text.LastIndexOf(':');
        if (at < 0 || text.EndsWith(']'))
            return (text, ConfigServerOptions.DefaultPort);
        return int.TryParse(text.AsSpan(at + 1), out var port) && port is > 0 and < 65536 ? (text[..at], port) : throw new EccfgException(EccfgExit.Usage, $"'{text}' is no host or host:port");
    }

    /// <summary>The sources of <c>repo</c>, in order; <c>local</c> is this host, <c>auto</c> the first server.</summary>
    private static IEnumerable<(string Host, int Port)> Servers(ClusterBoot boot) => (boot.Repo ?? ["auto"]).Select(source => source switch
    {
        "local" => ("localhost", ConfigServerOptions.DefaultPort),
        "auto" => HostAndPort(boot.FirstServer ?? "localhost"),
        _ => HostAndPort(source),
    }).Distinct();

    private Remote RemoteOf(string host, int port) => Remote.Https(host, port, User, Password(), Pinned(host, port));

    private string Pinned(string host, int port) => new KnownServers(_etc).FileOf(host, port) is var file && File.Exists(file) ? file
        : throw new EccfgException(EccfgExit.Unreachable, $"the key of {host}:{port} is not known here; 'eccfg bootstrap' pins it");

    private ConfigClient ClientOf(string host, int port) => new(host, port, User, Password(), File.ReadAllText(Pinned(host, port)), _host.Time);

    /// <summary>Works with the first server that can be reached; what writes goes to the master of the subcluster, which that server names.</summary>
    private async Task<T> WithServerAsync<T>(ClusterBoot boot, Func<Remote, Task<T>> work, CancellationToken cancellationToken, bool writes = false)
    {
        if (!writes)
            return await FirstAsync(boot, (host, port) => work(RemoteOf(host, port)));
        var (masterHost, masterPort) = await AskServerAsync(boot, client => MasterAsync(client, boot.ClusterName, cancellationToken), cancellationToken);
        return await work(RemoteOf(masterHost, masterPort));
    }

    private Task<T> AskServerAsync<T>(ClusterBoot boot, Func<ConfigClient, Task<T>> work, CancellationToken cancellationToken) => FirstAsync(boot, async (host, port) =>
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var client = ClientOf(host, port);
        return await work(client);
    });

    private static async Task<T> FirstAsync<T>(ClusterBoot boot, Func<string, int, Task<T>> work)
    {
        EccfgException? last = null;
        foreach (var (host, port) in Servers(boot))
        {
            try
            {
                return await work(host, port);
            }
            catch (EccfgException exception) when (exception.ExitCode == EccfgExit.Unreachable)
            {
                last = exception;
            }
        }
        throw last ?? new EccfgException("cluster.boot names no server (repo)");
    }

    /// <summary>Where the master listens. A server that is trusted vouches for the keys of the others.</summary>
    private async Task<(string Host, int Port)> MasterAsync(ConfigClient client, string subcluster, CancellationToken cancellationToken)
    {
        var status = await client.StatusAsync(cancellationToken);
        var repository = status.Repositories.FirstOrDefault(repository => repository.Name == subcluster) ?? throw new EccfgException($"there is no subcluster {subcluster}; there are: {string.Join(' ', status.Repositories.Select(known => known.Name))}");
        var master = status.Servers.FirstOrDefault(server => server.Name == repository.Master) ?? throw new EccfgException(EccfgExit.Unreachable, $"{subcluster} has no master now; try again in a moment");
        var known = new KnownServers(_etc);
        if (!File.Exists(known.FileOf(master.Host, master.Port)))
            known.Pin(master.Host, master.Port, master.Certificate);
        return (master.Host, master.Port);
    }

    private async Task<int> SubclusterAsync(List<string> words, CancellationToken cancellationToken)
    {
        var boot = Boot();
        var (verb, name) = (words.ElementAtOrDefault(0) ?? "", words.ElementAtOrDefault(1));
        if (verb is "clusters" or "status" or "master" or "slaves")
            return await ShowAsync(boot, verb, name, cancellationToken);
        var text = (verb, words.Count) switch
        {
            ("create", 2) => await ActAsync("create", name!, "", ""),
            ("copy", 3) => await ActAsync("copy", words[2], "", name!),
            ("override" or "resume", 3) => await ActAsync(verb, name!, words[2], ""),
            ("conflict", 2) => await ActAsync("conflict", name!, "", ""),
            ("resolve", 2) => await ActAsync("resolve", name!, _arguments["take"] ?? "", ""),
            _ => throw new EccfgException(EccfgExit.Usage, $"'subcluster {string.Join(' ', words)}' is no command, or has too few or too many words"),
        };
        Say(text);
        return EccfgExit.Done;

        Task<string> ActAsync(string what, string repository, string node, string from) => AskServerAsync(boot, async client =>
        {
            if (what != "resolve")
                return await client.ActAsync(what, repository, cancellationToken, node, from);
            var (host, port) = await MasterAsync(client, repository, cancellationToken);
            using var master = ClientOf(host, port);
            return await master.ActAsync(what, repository, cancellationToken, node, from);
        }, cancellationToken);
    }

    private async Task<int> ShowAsync(ClusterBoot boot, string verb, string? name, CancellationToken cancellationToken)
    {
        var status = await AskServerAsync(boot, client => client.StatusAsync(cancellationToken), cancellationToken);
        var clusters = status.Repositories.Where(repository => repository.Name != WorkingCopy.GlobalName).ToList();
        if (verb == "clusters")
        {
            _host.Out.WriteLine(string.Join(' ', clusters.Select(cluster => (cluster.Conflict ? "!" : "") + cluster.Name)));
            return EccfgExit.Done;
        }
        var chosen = name is null ? (verb == "status" ? status.Repositories : clusters.Take(1)).ToList() : [.. status.Repositories.Where(repository => repository.Name == name)];
        if (chosen.Count == 0)
            throw new EccfgException($"there is no subcluster {name}");
        foreach (var repository in chosen)
        {
            if (verb == "status")
            {
                _host.Out.WriteLine($"{repository.Name}  {(repository.Conflict ? "CONFLICT" : repository.WhyNoCommit is null || repository.Master != status.Node ? "ok" : repository.WhyNoCommit)}");
                foreach (var server in repository.Servers)
                    _host.Out.WriteLine($"  {server.Server,-20} {(server.Server == repository.Master ? "MASTER" : "SLAVE"),-7} revision {server.Revision} ({server.Commit[..7]}){(server.Revision < repository.Revision ? "  behind" : "")}");
            }
            else
                _host.Out.WriteLine(verb == "master" ? repository.Master ?? "" : string.Join(' ', repository.Slaves));
        }
        return EccfgExit.Done;
    }
}
