using System.Text;

namespace Veredus.ConfigServer;

/// <summary>Where an eccfg call reads, writes and asks.</summary>
/// <param name="Ask">Asks a question and returns what was typed; null = there is no terminal.</param>
/// <param name="AskSecret">The same for a password, not shown.</param>
/// <param name="Reload">Tells the local MTA to load its configuration; false when it refused. Null: there is none.</param>
public sealed record EccfgHost(
    TextWriter Out, TextWriter Error, TextReader In, Func<string, string?>? Ask, Func<string, string?>? AskSecret, Func<string, string?> Environment, TimeProvider Time, Func<CancellationToken, Task<bool?>>? Reload = null)
{
    /// <summary>The local node's complete running configuration; null when none runs.</summary>
    public Func<CancellationToken, Task<string?>>? Running { get; init; }
    /// <summary>Takes results as JSON: a schema and its data. Null: text.</summary>
    public Action<string, string>? Json { get; init; }
    /// <summary>A commit also stops at nodes that were not reached, and what is wrong comes out as <see cref="EccfgException"/>: the modern form.</summary>
    public bool IsStrict { get; init; }
}

/// <summary>The program eccfg.</summary>
public sealed partial class Eccfg
{
    private const string DefaultEtc = "/etc/veredus";
    private static readonly TimeSpan s_lockWait = TimeSpan.FromSeconds(15);
    private readonly EccfgHost _host;
    private readonly EccfgArguments _arguments;
    private readonly string _etc;
    private readonly WorkingCopy _copy;
    private HostLock? _lock;

    private Eccfg(EccfgHost host, EccfgArguments arguments)
    {
        (_host, _arguments) = (host, arguments);
        _etc = arguments["etc"] ?? host.Environment("VEREDUS_ETC") ?? DefaultEtc;
        _copy = new(_etc, arguments["working-copy"] ?? Path.Combine(_etc, "conf"), arguments.Has("debug") ? TraceAsync : null);
    }

    public const string Usage = """
        usage: eccfg <subcommand> [--quiet|--debug] [--username u] [--password p|--password-stdin] [--working-copy path] [--etc dir] ...

          bootstrap --clustername n|--singlenode [host[:port]] [--node name]    first checkout of this host
          bootstrap --repair                     a new checkout in place of a damaged one; local changes are kept as a patch
          status                                 local changes
          info                                   what the working copy is
          pull [--auto] [--mine|--theirs|--manual] [--force]
          plan                                   what a commit would do on every node
          commit [--add-all] [--delete-all] [--message text] [--without node,node] [--confirm-within 5m] [--force] [--resolve]
          keep                                   confirms a commit that waits for it
          undo                                   takes the last revision back; takeback revision: an earlier one
          delete file|dir ...     revert file|dir ...     resolve [file ...] [--revert]
          clone source destination     overlay source destination     put source destination
          put running                            saves the node's running configuration
          log [-n N] [path]     diff [R1 [R2]]     blame file[:line]
          subcluster clusters|status|master|slaves|create|copy|override|resume|conflict|resolve|forget [subcluster] [node] [--take node]

        Examples:
          veredus eccfg bootstrap --singlenode
          veredus eccfg pull
          veredus eccfg commit --add-all -m "new pool"
          eccfg subcluster status
        """;

    /// <summary>Runs one call.</summary>
    /// <returns>The exit code, <see cref="EccfgExit"/>.</returns>
    public static async Task<int> RunAsync(EccfgHost host, IReadOnlyList<string> words, CancellationToken cancellationToken)
    {
        try
        {
            var arguments = EccfgArguments.Parse(words);
            if (arguments.Has("help") || arguments.Words.Count == 0)
            {
                host.Out.WriteLine(Usage);
                return arguments.Has("help") ? EccfgExit.Done : EccfgExit.Usage;
            }
            return await new Eccfg(host, arguments).DispatchAsync(cancellationToken);
        }
        catch (EccfgException exception) when (!host.IsStrict)
        {
            host.Error.WriteLine($"ERROR: {exception.Message}");
            return exception.ExitCode;
        }
        catch (Exception exception) when (!host.IsStrict && exception is IOException or UnauthorizedAccessException or GitException)
        {
            host.Error.WriteLine($"ERROR: {exception.Message}");
            return EccfgExit.Failed;
        }
    }

    private async Task<int> DispatchAsync(CancellationToken cancellationToken)
    {
        var words = _arguments.Words.Skip(1).ToList();
        if (_arguments.Words[0] is "subcluster")
            return await SubclusterAsync(words, cancellationToken);
        // The node of this host takes it for a moment whenever it looks for a new revision.
        _lock = await HostLock.TakeAsync(_etc, s_lockWait, _host.Time, cancellationToken);
        try
        {
            return await RunAsync(words, cancellationToken);
        }
        finally
        {
            _lock.Dispose();
        }
    }

    private async Task<int> RunAsync(List<string> words, CancellationToken cancellationToken)
    {
        return (_arguments.Words[0], words) switch
        {
            ("bootstrap", { Count: <= 1 }) => await BootstrapAsync(words, cancellationToken),
            ("status", _) => await StatusAsync(words, cancellationToken),
            ("info", []) => await InfoAsync(cancellationToken),
            ("pull", []) => await PullAsync(cancellationToken),
            ("commit", []) => await CommitAsync(cancellationToken),
            ("delete", { Count: > 0 }) => Each(await _copy.DeleteAsync(words, cancellationToken), path => $"D  {path}"),
            ("revert", { Count: > 0 }) => Each(await _copy.RevertAsync(words, cancellationToken), path => $"Reverted '{path}'"),
            ("resolve", _) => await ResolveAsync(words, cancellationToken),
            ("put", ["running"]) => await PutRunningAsync(cancellationToken),
            ("clone" or "overlay" or "put", { Count: 2 }) => await CopyAsync(_arguments.Words[0], words, cancellationToken),
            ("log", { Count: <= 1 }) => await LogAsync(words, cancellationToken),
            ("diff", { Count: <= 2 }) => await DiffAsync(words, cancellationToken),
            ("plan", []) => await PlanAsync(cancellationToken),
            ("blame", [var file]) => await BlameAsync(file, cancellationToken),
            ("undo", []) => await UndoAsync(null, cancellationToken),
            ("takeback", [var revision]) => await UndoAsync(revision, cancellationToken),
            ("keep", []) => await KeepAsync(cancellationToken),
            _ => throw new EccfgException(EccfgExit.Usage, $"'{string.Join(' ', _arguments.Words)}' is no eccfg command, or has too few or too many words; 'eccfg --help' lists them"),
        };
    }

    private async Task<int> BootstrapAsync(List<string> words, CancellationToken cancellationToken)
    {
        if (_arguments.Has("repair"))
            return await RepairAsync(cancellationToken);
        var cluster = _arguments["clustername"] ?? (_arguments.Has("singlenode") ? "default" : throw new EccfgException(EccfgExit.Usage, "bootstrap needs --clustername NAME or --singlenode"));
        var (host, port) = ServerAccess.HostAndPort(words.Count == 0 ? "localhost" : words[0]);
        var boot = new ClusterBoot(ClusterBoot.CheckName(cluster, "clustername"), ClusterBoot.CheckName(_arguments["node"] ?? Environment.MachineName.Split('.')[0].ToLowerInvariant(), "node"), FirstServer: port == ConfigServerOptions.DefaultPort ? host : $"{host}:{port}");
        var known = new KnownServers(_etc);
        var fingerprint = await known.PinFirstAsync(host, port, cancellationToken);
        if (_arguments["fingerprint"] is { } expected && expected != fingerprint)
        {
            File.Delete(known.FileOf(host, port));
            throw new EccfgException(EccfgExit.Unreachable, $"{host}:{port} shows the key {fingerprint}, not {expected}");
        }
        Say($"{host}:{port} has the key {fingerprint}");
        using var link = Access(boot).Open(host, port);
        // The API says more clearly than git what is wrong with a password, a certificate or a subcluster's name.
        var heads = await link.Client.HeadsAsync(boot.ClusterName, cancellationToken);
        var files = await _copy.BootstrapAsync(link.Remote, boot.ClusterName, cancellationToken);
        try
        {
            await known.LearnAsync(link.Client, heads.Servers, cancellationToken);
            AtomicFile.Write(AutoPull.ServicePasswordFile(_etc), Encoding.ASCII.GetBytes(await link.Client.ServicePasswordAsync(cancellationToken) + "\n"));
        }
        catch (EccfgException exception) when (exception.ExitCode == EccfgExit.NotAllowed)
        {
            Say($"{User} may not write everything, so the password for unattended pulls was not handed over: copy service.password from the server to {AutoPull.ServicePasswordFile(_etc)}, or bootstrap as an administrator.");
        }
        AtomicFile.Write(Path.Combine(_etc, ClusterBoot.FileName), Encoding.UTF8.GetBytes(boot.ToString()), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        foreach (var path in files)
            Say($"A    {path}");
        Say($"Checked out revision {(await _copy.BaseHeadAsync(_copy.RequireMarker(), cancellationToken)).Revision}.");
        return EccfgExit.Done;
    }

    private async Task<int> StatusAsync(List<string> words, CancellationToken cancellationToken)
    {
        var only = words.Select(path => Worktree.Inside(_copy.Conf, path)).ToList();
        var changes = (await _copy.StatusAsync(cancellationToken)).Where(change => only.Count == 0 || only.Any(path => change.Path == path || change.Path.StartsWith(path + "/", StringComparison.Ordinal))).ToList();
        if (_host.Json is { } json)
        {
            json("veredus.config.changes/1", System.Text.Json.JsonSerializer.Serialize(changes, HistoryJson.Default.IReadOnlyListLocalChange));
            return EccfgExit.Done;
        }
        changes.ForEach(change => _host.Out.WriteLine($"{change.Kind}  {change.Path}"));
        Say((await _copy.BaseHeadAsync(_copy.RequireMarker(), cancellationToken)).ToString());
        return EccfgExit.Done;
    }

    private async Task<int> InfoAsync(CancellationToken cancellationToken)
    {
        var (marker, boot) = (_copy.RequireMarker(), Boot());
        var changes = await _copy.StatusAsync(cancellationToken);
        _host.Out.WriteLine($"working copy   {_copy.Conf}\nsubcluster     {marker.Subcluster}\nnode           {boot.NodeName}\nservers        {string.Join(", ", Access(boot).Servers.Select(server => $"{server.Host}:{server.Port}"))}");
        _host.Out.WriteLine($"revision       {(await _copy.BaseHeadAsync(marker, cancellationToken)).Revision} ({new CommitId(marker.Base).Short})\nglobal         {new CommitId(marker.GlobalBase).Short}\nautoupdate     {boot.AutoUpdate.ToString().ToLowerInvariant()}\nlocal changes  {changes.Count}");
        return EccfgExit.Done;
    }

    private async Task<int> PullAsync(CancellationToken cancellationToken)
    {
        var (boot, isAuto) = (Boot(), _arguments.Has("auto"));
        var choice = _arguments.Has("mine") ? ConflictChoice.Mine : _arguments.Has("theirs") ? ConflictChoice.Theirs : _arguments.Has("manual") ? ConflictChoice.Manual : ConflictChoice.Refuse;
        // Files with conflict markers never load; they are checked when they are committed.
        Func<string, Task>? check = _arguments.Has("force") || choice == ConflictChoice.Manual ? null : tree =>
            TreeValidator.CheckDirectory(_etc, _copy.Conf, tree, boot.NodeName) is { Count: > 0 } findings
                ? throw new EccfgException(EccfgExit.Failed, $"the new configuration does not load; nothing was changed:\n{string.Join('\n', findings)}") : Task.CompletedTask;
        var result = await Access(boot).FirstAsync(async (remote, client) =>
        {
            if ((await client.HeadsAsync(boot.ClusterName, cancellationToken)).Conflict is { } name)
                throw new EccfgException(EccfgExit.Conflict, $"{name} is in CONFLICT: no updates until 'eccfg subcluster resolve {name}'; 'eccfg subcluster status' shows the sides.");
            return await _copy.PullAsync(remote, choice, isAuto ? boot.AutoUpdate : AutoUpdate.True, check, cancellationToken);
        }, cancellationToken);
        if (!result.HasChanged)
        {
            Say(result.Note.Length > 0 ? result.Note : $"already at revision {result.Revision.Revision}");
            return EccfgExit.Done;
        }
        foreach (var path in result.Conflicts)
            Say($"C  {path}");
        Say($"OK (revision {result.Revision.Revision})");
        if (Environment.CurrentDirectory.StartsWith(_copy.Conf, StringComparison.Ordinal))
            Say($"The current directory was replaced by this pull: cd {Environment.CurrentDirectory}");
        if (choice != ConflictChoice.Refuse || !boot.ReloadConfigOnUpdate || _host.Reload is null || await _host.Reload(cancellationToken) is not false)
            return EccfgExit.Done;
        _host.Error.WriteLine("ERROR: Reconfigure failed");
        return EccfgExit.Failed;
    }

    private async Task<int> CommitAsync(CancellationToken cancellationToken)
    {
        var boot = Boot();
        var unsure = (await _copy.StatusAsync(cancellationToken)).Where(change => (change.Kind == '?' && !_arguments.Has("add-all")) || (change.Kind == '!' && !_arguments.Has("delete-all"))).ToList();
        if (unsure.Count > 0 && _host.Ask is null)
            throw new EccfgException(EccfgExit.NotConfirmed, $"nothing was committed; nobody is here to ask about:\n{string.Join('\n', unsure.Select(change => $"{change.Kind}  {change.Path}"))}\nAdd --add-all or --delete-all.");
        var refused = unsure.Where(change => _host.Ask!($"{(change.Kind == '?' ? "Add" : "Delete")} {change.Path}? [y/N] ")?.Trim() is not ("y" or "Y" or "yes")).ToHashSet();
        var author = _arguments.Has("resolve") ? await ResolvingAsync(boot, cancellationToken) : Author(boot);
        if (_arguments["confirm-within"] is { } within)
            author = author with { Message = $"{author.Text}\n\n{Confirmation.Within}: {Duration("--confirm-within", within).TotalSeconds:0}\n" };
        var done = await RetryAsync(() => Access(boot).WithMasterAsync(boot.ClusterName, (remote, client) => _copy.CommitAsync(
            remote, author, change => !refused.Contains(change), cancellationToken,
            author.Force || _arguments.Has("resolve") ? null : (part, commit) => ReviewAsync(remote, client, part, commit, cancellationToken)), cancellationToken), cancellationToken);
        if (done.Count == 0)
            Say("Nothing to commit");
        var exitCode = EccfgExit.Done;
        if (done.Count > 0 && _arguments["confirm-within"] is { } time)
            Say($"Taken back automatically in {time} unless you say: eccfg keep");
        foreach (var commit in done)
            exitCode = Math.Max(exitCode, await ReportAsync(boot, commit, cancellationToken));
        return exitCode;
    }

    /// <summary>Whose commit ends a CONFLICT: it names all sides, so that every server sees them contained.</summary>
    private async Task<CommitAuthor> ResolvingAsync(ClusterBoot boot, CancellationToken cancellationToken)
    {
        var marks = await Access(boot).WithMasterAsync(boot.ClusterName, async (_, client) =>
            (await client.StatusAsync(cancellationToken)).Repositories.First(repository => repository.Name == boot.ClusterName).Marks, cancellationToken)
            ?? throw new EccfgException($"{boot.ClusterName} is not in CONFLICT: there is nothing that --resolve could end");
        var author = Author(boot);
        return author with { Message = $"{author.Text}\n\n{string.Concat(marks.Select(mark => $"{Ancestry.Trailer}: {mark}\n"))}" };
    }

    private async Task<int> ReportAsync(ClusterBoot boot, Committed commit, CancellationToken cancellationToken)
    {
        foreach (var file in commit.Files)
            Say($"{(file.Kind switch { '?' or 'A' => "Adding  ", '!' or 'D' => "Deleting", _ => "Sending " })}  {file.Path}");
        Say("Transmitting file data.");
        Say($"Committed revision {commit.Revision.Revision}.");
        var pending = await AskServerAsync(boot, client => client.PendingAsync(commit.Repository, commit.Revision.Commit, cancellationToken), cancellationToken);
        await SayWhoFollowsAsync(boot, commit, cancellationToken);
        if (pending.Count == 0)
            return EccfgExit.Done;
        _host.Error.WriteLine($"replication pending: {string.Join(", ", pending)}");
        return EccfgExit.Pending;
    }

    /// <summary>The nodes that follow over the bus, after ten seconds at most.</summary>
    private async Task SayWhoFollowsAsync(ClusterBoot boot, Committed commit, CancellationToken cancellationToken)
    {
        var start = _host.Time.GetTimestamp();
        _lock?.Dispose();  // the node of this host is one of those who follow
        var nodes = await AskServerAsync(boot, client => client.FollowedAsync(boot.ClusterName, commit.Repository, commit.Revision.Commit.Hex, cancellationToken), cancellationToken);
        if (nodes.Count == 0)
            return;
        var late = nodes.Where(node => !node.Runs(commit.Repository, commit.Revision.Commit.Hex)).ToList();
        Say(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"Nodes follow: {nodes.Count - late.Count} of {nodes.Count} after {_host.Time.GetElapsedTime(start).TotalSeconds:0.0} s."));
        foreach (var node in late)
            _host.Error.WriteLine($"{node.Node}: {(node.Code.Length > 0 ? $"{node.Code}: {node.Text}" : "not yet")}");
    }

    private async Task<int> ResolveAsync(List<string> words, CancellationToken cancellationToken)
    {
        if (!_arguments.Has("revert"))
            return Each(await _copy.ResolveAsync(words, cancellationToken), path => $"Resolved conflicted state of '{path}'");
        await _copy.AbandonMergeAsync(cancellationToken);
        Say("The working copy is as it was before the pull.");
        return EccfgExit.Done;
    }

    private async Task<int> CopyAsync(string verb, List<string> words, CancellationToken cancellationToken)
    {
        var (boot, author) = (Boot(), Author(Boot()));
        var done = await WithServerAsync(boot, remote => verb == "put" ? _copy.PutAsync(remote, words[0], words[1], author, cancellationToken)
            : _copy.CopyDirectoryAsync(remote, words[0], words[1], keepsOthers: verb == "overlay", author, cancellationToken), cancellationToken, writes: true);
        if (done is not null)
            return await ReportAsync(boot, done, cancellationToken);
        Say("unchanged");
        return EccfgExit.Done;
    }

    private int Each(IEnumerable<string> items, Func<string, string> line)
    {
        foreach (var item in items)
            Say(line(item));
        return EccfgExit.Done;
    }

    private void Say(string line)
    {
        if (!_arguments.Has("quiet"))
            _host.Out.WriteLine(line);
    }

    private Task TraceAsync(string step)
    {
        _host.Error.WriteLine($"eccfg: {step}");
        return Task.CompletedTask;
    }
}
