using System.Collections.Immutable;
using System.Text.Json;
using System.Threading.Channels;
using Veredus.Cluster;

namespace Veredus.ConfigServer;

/// <summary>Carries out what <see cref="Replica"/> decides, for all repositories of this server: one loop, one event at a time.</summary>
internal sealed class Replicator(RepositoryStore store, IGroupBus bus, ServerInfo self, UserFile users, string servicePassword, bool? requireMajority, TimeProvider time, Action<string> log) : IAsyncDisposable
{
    public static readonly TimeSpan AcknowledgementWait = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);
    private readonly Channel<Func<Task>> _work = Channel.CreateBounded<Func<Task>>(1024);
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _running = [];
    private volatile string? _renewed;
    private ImmutableDictionary<string, Replica> _replicas = ImmutableDictionary<string, Replica>.Empty;
    private ImmutableDictionary<MemberId, ServerInfo> _servers = ImmutableDictionary<MemberId, ServerInfo>.Empty;
    private ImmutableSortedSet<string> _known = [self.Name];
    private ImmutableSortedSet<MemberId> _members = [];
    private string _lastNames = "";
    private volatile TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public IReadOnlyDictionary<string, Replica> Replicas => _replicas;

    private ServerInfo Self => _renewed is { } certificate ? self with { Certificate = certificate } : self;

    public IEnumerable<ServerInfo> Servers => _servers.Values.Append(Self).DistinctBy(server => server.Name).OrderBy(server => server.Name, StringComparer.Ordinal);

    /// <summary>Where pushes go when not here; null when they go here or nowhere.</summary>
    public string? MasterUrl(string repository) =>
        _replicas.TryGetValue(repository, out var replica) && replica.Standing.Master is { } master && master != bus.Self && _servers.TryGetValue(master, out var server) ? server.Url : null;

    /// <summary>A head or a CONFLICT has changed here. Subscribers are quick.</summary>
    public event Action<HeadNotice>? Changed;

    /// <summary>All heads of this server.</summary>
    public IEnumerable<HeadNotice> Notices => _replicas.Select(entry => NoticeOf(entry.Key, entry.Value));

    private static HeadNotice NoticeOf(string name, Replica replica) => new(name, replica.Head.Revision, replica.Head.Commit.Hex, replica.InConflict);

    public string? WhyNoCommit(string repository) => _replicas.TryGetValue(repository, out var replica) ? replica.WhyNoCommit(_known.Count, requireMajority) : "it is not known here yet";

    public void Start()
    {
        if (File.Exists(KnownFile) && JsonSerializer.Deserialize(File.ReadAllBytes(KnownFile), BusJson.Default.StringArray) is { } known)
            _known = _known.Union(known);
        _running.Add(Task.Run(LoopAsync));
        _running.Add(Task.Run(ReadBusAsync));
    }

    /// <summary>A push has moved <c>main</c>.</summary>
    public Task HeadMovedAsync(string repository, Head head) => DoAsync(() => ApplyAsync(repository, new ReplicaEvent.HeadMoved(head)));

    /// <summary>Runs something between two events, so nothing changes meanwhile.</summary>
    public async Task<T> DoAsync<T>(Func<Task<T>> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        await _work.Writer.WriteAsync(async () =>
        {
            try
            {
                done.SetResult(await work());
            }
            catch (Exception exception)
            {
                done.SetException(exception);
            }
        }, _stop.Token);
        return await done.Task.WaitAsync(_stop.Token);
    }

    private Task DoAsync(Func<Task> work) => DoAsync(async () =>
    {
        await work();
        return true;
    });

    /// <summary>Takes up a repository that was just made here.</summary>
    public Task AddAsync(string repository) => DoAsync(() => TakeUpAsync(repository));

    public void Send(BusMessage message) => bus.Send(message.ToBytes());

    /// <summary>Waits until another server has a commit, or all that are here have, at most five seconds.</summary>
    /// <returns>Servers that are here and do not have it yet.</returns>
    public async Task<IReadOnlyList<string>> WaitForAcknowledgementAsync(string repository, CommitId commit, bool byAll, CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(AcknowledgementWait, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken, _stop.Token);
        while (true)
        {
            var changed = _changed.Task;
            var replica = _replicas[repository];
            var (have, others) = (replica.AcknowledgedBy(commit), replica.Reports.Where(entry => entry.Key != bus.Self).Select(entry => entry.Value.Server).ToList());
            if (replica.Members.Count <= 1 || (byAll ? !others.Except(have).Any() : have.Length > 0) || either.IsCancellationRequested)
                return [.. others.Except(have)];
            await Task.WhenAny(changed, Task.Delay(Timeout.Infinite, either.Token));
        }
    }

    /// <summary>Ends when anything has changed after it was taken.</summary>
    public Task NextChange => _changed.Task;

    /// <summary>Waits until a condition holds; tests and start-up use it.</summary>
    public async Task UntilAsync(Func<bool> condition, CancellationToken cancellationToken)
    {
        while (true)
        {
            var changed = _changed.Task;
            if (condition())
                return;
            await changed.WaitAsync(cancellationToken);
        }
    }

    private string KnownFile => Path.Combine(store.Root, "servers.json");

    private string MemoryFile(string repository) => Path.Combine(store.Root, repository + ".state.json");

    private async Task LoopAsync()
    {
        await foreach (var work in _work.Reader.ReadAllAsync())
        {
            await work();
            Interlocked.Exchange(ref _changed, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
        }
    }

    private async Task ReadBusAsync()
    {
        await foreach (var happened in bus.Events.ReadAllAsync())
        {
            if (happened is GroupEvent.Drained)
                continue;
            await _work.Writer.WriteAsync(async () =>
            {
                try
                {
                    await TakeAsync(happened);
                }
                catch (Exception exception) when (exception is GitException or IOException)
                {
                    log($"configd: {exception.Message}");
                }
            });
        }
    }

    private async Task TakeAsync(GroupEvent happened)
    {
        switch (happened)
        {
            case GroupEvent.View view:
                _members = [.. view.Membership.Members];
                _servers = _servers.RemoveRange(_servers.Keys.Where(member => !_members.Contains(member)));
                Send(new(null, Hello: Self));
                TellUsers();
                foreach (var name in store.Names())
                    await TakeUpAsync(name);
                break;
            case GroupEvent.Lost lost:
                log($"configd: the bus is gone ({lost.Reason}); no commits until it is back");
                _members = [];
                foreach (var name in _replicas.Keys)
                    await ApplyAsync(name, new ReplicaEvent.ViewChanged([]));
                break;
            case GroupEvent.Message message when BusMessage.Parse(message.Payload.Span) is { } said:
                await TakeMessageAsync(message.Sender, said);
                break;
        }
    }

    private async Task TakeMessageAsync(MemberId sender, BusMessage said)
    {
        if (said.Users is { } text && sender != bus.Self)
        {
            if (users.Adopt(text))
                log($"configd: took over the other servers' users{(users.IsService(servicePassword) ? "" : "; their service password is not this server's: 'veredus configd join' gets it")}");
            return;
        }
        if (said.Hello is { Name.Length: > 0 } server)
        {
            _servers = _servers.SetItem(sender, server);
            var names = string.Join(' ', Servers.Select(one => one.Name));
            if (_members.Count == _servers.Count && names != _lastNames)
                log($"configd: {_servers.Count} servers: {_lastNames = names}");
            if (!_known.Contains(server.Name))
            {
                _known = _known.Add(server.Name);
                AtomicFile.Write(KnownFile, JsonSerializer.SerializeToUtf8Bytes([.. _known], BusJson.Default.StringArray));
            }
            return;
        }
        if (said.Repository is not { } name || !IsName(name))
            return;
        if (!_replicas.ContainsKey(name))
        {
            await store.CreateAsync(name, _stop.Token);
            await TakeUpAsync(name);
        }
        if (said.Report?.ToReport() is { } report)
            await ApplyAsync(name, new ReplicaEvent.Reported(sender, report));
        if (said.Override is { } forced)
            await ApplyAsync(name, new ReplicaEvent.Overridden(forced, said.Leader));
        if (said.Freeze is { Length: > 0 and < 200 } mark && !mark.AsSpan().ContainsAny('\n', ' '))
            await ApplyAsync(name, new ReplicaEvent.Frozen(mark));
    }

    /// <summary>This server shows another certificate: the others pin what is said here.</summary>
    public void ShowCertificate(string pem)
    {
        _renewed = pem;
        Send(new(null, Hello: Self));
    }

    /// <summary>Tells the other servers this one's users; the newest file wins.</summary>
    public void TellUsers()
    {
        if (_members.Count > 1 && users.Text is { Length: > 0 } text)
            Send(new(null, Users: text));
    }

    private static bool IsName(string name)
    {
        try
        {
            ClusterBoot.CheckName(name, "repository");
            return true;
        }
        catch (EccfgException)
        {
            return false;
        }
    }

    private async Task TakeUpAsync(string name)
    {
        if (!_replicas.TryGetValue(name, out var replica))
            _replicas = _replicas.SetItem(name, Replica.Start(bus.Self, self.Name, await store.Open(name).HeadAsync(_stop.Token), ReadMemory(name)));
        // After the bus was lost and found this process may have another id.
        else if (replica.Self != bus.Self)
            _replicas = _replicas.SetItem(name, Replica.Start(bus.Self, self.Name, replica.Head, replica.Memory));
        await ApplyAsync(name, new ReplicaEvent.ViewChanged(_members));
    }

    internal async Task ApplyAsync(string name, ReplicaEvent happened)
    {
        var before = _replicas[name];
        var (next, effects) = before.Apply(happened);
        _replicas = _replicas.SetItem(name, next);
        if (next.InConflict != before.InConflict || next.Head != before.Head || next.IsMaster != before.IsMaster)
            Changed?.Invoke(NoticeOf(name, next));
        if (next.InConflict != before.InConflict)
            log(next.InConflict ? $"configd: {name} is in CONFLICT ({string.Join(", ", next.Standing.Tops)}); 'eccfg subcluster resolve {name}'" : $"configd: {name} is no longer in CONFLICT");
        if (next.MasterName is { } master && master != before.MasterName)
            log($"configd: master of {name} is {master}");
        foreach (var effect in effects)
            await CarryOutAsync(name, next, effect);
    }

    private async Task CarryOutAsync(string name, Replica replica, ReplicaEffect effect)
    {
        switch (effect)
        {
            case ReplicaEffect.SendReport report:
                var answers = ImmutableDictionary.CreateBuilder<string, bool>();
                foreach (var mark in report.Questions)
                    answers[mark] = await Ancestry.ContainsAsync(store.Open(name), replica.Head.Commit, mark, _stop.Token);
                Send(new(name, Report: WireReport.Of(new(self.Name, replica.Head, answers.ToImmutable(), report.ClaimsMaster, report.Term, report.Override, report.Conflict))));
                break;
            case ReplicaEffect.Remember remember:
                var memory = remember.Memory;
                AtomicFile.Write(MemoryFile(name), JsonSerializer.SerializeToUtf8Bytes(new(memory.Term, memory.WasMaster, memory.Override, [.. memory.Conflict]), BusJson.Default.WireMemory));
                break;
            case ReplicaEffect.CatchUp catchUp:
                StartFetch(name, catchUp.From, catchUp.Head, null);
                break;
            case ReplicaEffect.KeepSide side:
                StartFetch(name, side.From, side.Head, side.Server);
                break;
        }
    }

    private void StartFetch(string name, MemberId from, Head head, string? side)
    {
        _running.RemoveAll(task => task.IsCompletedSuccessfully);
        _running.Add(Task.Run(async () =>
        {
            try
            {
                await FetchAsync(name, from, head, side);
                if (side is not null)
                    log($"configd: {name}: kept the side of {side}: {head}");
                await DoAsync(() => side is null ? AdvanceAsync(name, head) : Task.CompletedTask);
            }
            catch (Exception exception) when (exception is GitException or EccfgException or IOException)
            {
                log($"configd: {name}: fetching {head} did not work: {Explain(exception, from)}");
                await Task.Delay(RetryAfter, time, _stop.Token);
                await DoAsync(() => ApplyAsync(name, new ReplicaEvent.FetchFailed(head)));
            }
            catch (OperationCanceledException)
            {
                // The server stops.
            }
        }));
    }

    private async Task FetchAsync(string name, MemberId from, Head head, string? side)
    {
        if (!_servers.TryGetValue(from, out var server))
            throw new IOException($"{from} has not said where it listens yet");
        var pin = Path.Combine(store.Root, $"{IsNameOr(server.Name)}.pem");
        AtomicFile.Write(pin, System.Text.Encoding.ASCII.GetBytes(server.Certificate));
        var remote = Remote.Https(server.Host, server.Port, ConfigServerHost.ServiceUser, servicePassword, pin);
        string[] what = side is null ? [head.Commit.Hex, "+refs/conflict/*:refs/conflict/*"] : [.. Sides(IsNameOr(side), head.Commit).Select(reference => $"+{head.Commit.Hex}:{reference}")];
        await store.Open(name).With(remote.Environment).RunAsync(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", remote.UrlOf(name), .. what], _stop.Token);

        static string IsNameOr(string text) => IsName(text) ? text : throw new IOException($"'{text}' is no server's name");
    }

    /// <summary>What keeps a server's side of a CONFLICT: a name that its next one takes over, and one that stays.</summary>
    private static string[] Sides(string server, CommitId commit) => [$"refs/conflict/{server}", $"refs/conflict/{server}-{commit.Short}"];

    private string Explain(Exception exception, MemberId from) => exception is not GitException git ? exception.Message
        : _servers.TryGetValue(from, out var server) && new Remote(server.Url, ImmutableDictionary<string, string>.Empty).Explain("", git.Errors) is { ExitCode: EccfgExit.NotAllowed }
            ? $"{server.Name} does not take this server's service password; 'veredus configd join {server.Host}:{server.Port}' gets the cluster's" : git.Message;

    /// <summary>Moves <c>main</c> to a fetched head, if it still contains what is here.</summary>
    private async Task AdvanceAsync(string name, Head head)
    {
        var (repository, replica) = (store.Open(name), _replicas[name]);
        if (replica.InConflict || !await Ancestry.ContainsAsync(repository, head.Commit, replica.Head.Commit.Hex, _stop.Token))
        {
            await ApplyAsync(name, new ReplicaEvent.FetchFailed(head));
            return;
        }
        if (!await repository.IsAncestorAsync(replica.Head.Commit.Hex, head.Commit.Hex, _stop.Token))
            foreach (var reference in Sides(self.Name, replica.Head.Commit))
                await repository.RunAsync(["update-ref", reference, replica.Head.Commit.Hex], _stop.Token);
        await repository.RunAsync(["update-ref", "refs/heads/main", head.Commit.Hex, replica.Head.Commit.Hex], _stop.Token);
        log($"configd: {name} is at {head}");
        await ApplyAsync(name, new ReplicaEvent.HeadMoved(head));
    }

    private ReplicaMemory ReadMemory(string name)
    {
        if (!File.Exists(MemoryFile(name)) || JsonSerializer.Deserialize(File.ReadAllBytes(MemoryFile(name)), BusJson.Default.WireMemory) is not { } memory)
            return ReplicaMemory.Empty;
        return new(memory.Term, memory.WasMaster, memory.Override, [.. memory.Conflict]);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await bus.DisposeAsync();
        await _running[1];
        _work.Writer.TryComplete();
        foreach (var task in _running.ToArray())
            await task.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        _stop.Dispose();
    }
}
