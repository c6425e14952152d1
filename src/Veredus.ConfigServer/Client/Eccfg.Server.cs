namespace Veredus.ConfigServer;

public sealed partial class Eccfg
{
    private static readonly TimeSpan s_retry = TimeSpan.FromSeconds(30);
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
        var service = AutoPull.ServicePasswordFile(_etc);
        if (_arguments.Has("auto") && File.Exists(service))
            return _password = File.ReadAllText(service).Trim();
        return _password = _arguments["password"] ?? (_arguments.Has("password-stdin") ? _host.In.ReadLine() : null) ?? _host.Environment("ECCFG_PASSWORD")
            ?? _host.AskSecret?.Invoke($"Password of {User}: ")
            ?? throw new EccfgException(EccfgExit.NotConfirmed, $"a password for {User} is needed and nobody is here to ask: ECCFG_PASSWORD, or --password-stdin");
    }

    private ServerAccess Access(ClusterBoot boot) => new(_etc, boot, User, Password, _host.Time, _arguments["ca"]);

    private Task<T> WithServerAsync<T>(ClusterBoot boot, Func<Remote, Task<T>> work, CancellationToken cancellationToken, bool writes = false) =>
        writes ? RetryAsync(() => Access(boot).WithMasterAsync(boot.ClusterName, (remote, _) => work(remote), cancellationToken), cancellationToken) : Access(boot).FirstAsync((remote, _) => work(remote), cancellationToken);

    /// <summary>While the servers elect, or the old master is still the one they name, a write is tried again; at most 30 seconds.</summary>
    private async Task<T> RetryAsync<T>(Func<Task<T>> work, CancellationToken cancellationToken)
    {
        for (var start = _host.Time.GetTimestamp(); ; await Task.Delay(TimeSpan.FromSeconds(1), _host.Time, cancellationToken))
        {
            try
            {
                return await work();
            }
            catch (EccfgException exception) when (exception is not UntrustedServerException && exception.ExitCode == EccfgExit.Unreachable && _host.Time.GetElapsedTime(start) < s_retry)
            {
                // The next master is elected within seconds.
            }
        }
    }

    private Task<T> AskServerAsync<T>(ClusterBoot boot, Func<ConfigClient, Task<T>> work, CancellationToken cancellationToken) => Access(boot).FirstAsync((_, client) => work(client), cancellationToken);

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
            ("forget", 3) => await ActAsync("forget", name!, words[2], ""),
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
            using var master = Access(boot).OpenMaster(await client.StatusAsync(cancellationToken), repository);
            return await master.Client.ActAsync(what, repository, cancellationToken, node, from);
        }, cancellationToken);
    }

    private async Task<int> ShowAsync(ClusterBoot boot, string verb, string? name, CancellationToken cancellationToken)
    {
        var status = await AskServerAsync(boot, client => client.StatusAsync(cancellationToken), cancellationToken);
        var clusters = status.Repositories.Where(repository => repository.Name != WorkingCopy.GlobalName).ToList();
        if (_host.Json is { } json)
        {
            json("veredus.config.servers/1", System.Text.Json.JsonSerializer.Serialize(status, ControlJson.Default.ServerStatus));
            return EccfgExit.Done;
        }
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
                    _host.Out.WriteLine($"  {server.Server,-20} {(server.Server == repository.Master ? "MASTER" : "SLAVE"),-7} revision {server.Revision} ({server.Commit[..7]}){(server.BehindSeconds is { } seconds ? $"  behind for {seconds} s" : server.Revision < repository.Revision ? "  behind" : "")}");
                foreach (var node in (status.Nodes ?? []).Where(node => node.Subcluster == repository.Name))
                    _host.Out.WriteLine($"  {node.Node,-20} node    revision {node.Revision} ({node.Commit[..7]}){(node.Code.Length > 0 ? $"  {node.Code}: {node.Text.ReplaceLineEndings(" ")}" : "")}");
            }
            else
                _host.Out.WriteLine(verb == "master" ? repository.Master ?? "" : string.Join(' ', repository.Slaves));
        }
        return EccfgExit.Done;
    }
}
