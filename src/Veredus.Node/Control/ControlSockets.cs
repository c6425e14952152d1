using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Veredus.Configuration;
using Veredus.Control;
using Veredus.Logging;
using Veredus.Node.Listening;
using Veredus.Reception.Auth;

namespace Veredus.Node.Control;

/// <summary>A daemon whose console is served: a node, or a manager.</summary>
public interface IControlHost
{
    ConfigurationStore Configuration { get; }

    MailLogs Logs { get; }

    /// <summary>In the greeting.</summary>
    string Hostname { get; }

    TimeProvider Time { get; }
}

/// <summary>The control sockets of a daemon (<c>control_listener</c>): opened with it, and changed with its configuration.</summary>
/// <param name="version">In the greeting.</param>
public sealed class ControlSockets(IControlHost host, string version, ControlCommandTable commands) : IConfigurationParticipant, IAsyncDisposable
{
    private Dictionary<string, Listener> _listeners = new(StringComparer.Ordinal);
    private volatile ControlAuthorization? _authorization;

    /// <summary>The sockets, by their names in the configuration, with the ports that the system chose.</summary>
    public IReadOnlyDictionary<string, System.Net.EndPoint> Endpoints =>
        _listeners.ToDictionary(pair => pair.Key, pair => pair.Value.Socket.LocalEndPoint!, StringComparer.Ordinal);

    /// <summary>Roles of users; <see langword="null"/> where no socket checks them.</summary>
    public ControlAuthorization? Authorization => _authorization;

    /// <summary>Opens the sockets of the configuration in force, and follows it.</summary>
    /// <exception cref="StartupException">One of them cannot be opened.</exception>
    public void Start()
    {
        var problems = new PreparationProblems();
        var next = Open(host.Configuration.Current, problems);
        if (problems.Items.Count > 0)
        {
            Close(next.Values);
            throw new StartupException(ExitCode.OperatingSystem, string.Join('\n', problems.Items.Select(problem => problem.Message)));
        }
        Commit(next);
        host.Configuration.Register(this);
    }

    public ValueTask<IPreparedConfiguration?> PrepareAsync(ConfigurationChange change, PreparationProblems problems, CancellationToken cancellationToken) =>
        new(new Prepared(this, Open(change.New, problems)));

    public async ValueTask DisposeAsync()
    {
        var listeners = _listeners.Values;
        _listeners = [];
        foreach (var listener in listeners)
            await listener.CloseAsync();
    }

    /// <summary>What the configuration wants: kept sockets with new options, and new sockets that nobody accepts from yet.</summary>
    private Dictionary<string, Listener> Open(ConfigurationSnapshot configuration, PreparationProblems problems)
    {
        var next = new Dictionary<string, Listener>(StringComparer.Ordinal);
        foreach (var listen in configuration.Listens.Where(listen => listen.Listener == ScopeKinds.ControlListener && listen.IsEnabled))
        {
            var name = listen.Endpoint.ToString();
            try
            {
                var options = OptionsFor(configuration, listen, name);
                next[name] = _listeners.TryGetValue(name, out var kept)
                    ? kept with { Options = options }
                    : new(ListenSocket.Open(listen.Endpoint, new(listen.Own.Get(Options.ListenBacklog), listen.Own.Get(Options.FileMode))), options, listen.Endpoint.UnixPath);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
            {
                problems.Add(listen.Scope.Position, name, exception.Message);
            }
        }
        return next;
    }

    private void Commit(Dictionary<string, Listener> next)
    {
        foreach (var (name, listener) in next)
        {
            if (listener.Server.Value is { } server)
                server.Options = listener.Options;
            else
                listener.Server.Value = new(listener.Socket, listener.Options, commands, host.Logs, host.Time);
        }
        _authorization = next.Values.Select(listener => listener.Options.Authorization).FirstOrDefault(authorization => authorization is not null);
        var gone = _listeners.Where(pair => !next.ContainsKey(pair.Key)).Select(pair => pair.Value).ToList();
        _listeners = next;
        // The session that changed the configuration may be on a socket that goes: it is not waited for here.
        foreach (var listener in gone)
            _ = listener.CloseAsync();
    }

    private static void Close(IEnumerable<Listener> prepared)
    {
        foreach (var listener in prepared.Where(listener => listener.Server.Value is null))
        {
            listener.Socket.Dispose();
            if (listener.Path is not null)
                File.Delete(listener.Path);
        }
    }

    private ControlListenerOptions OptionsFor(ConfigurationSnapshot configuration, ListenDefinition listen, string name)
    {
        var own = listen.Own;
        var (scram, plain) = (own.Get(Options.AuthScramParameters), own.Get(Options.AuthPlainParameters));
        var authorization = ReadAuthorization(configuration, own.Get(Options.AuthorizationParameters));
        var options = new ControlListenerOptions
        {
            Name = name,
            HostName = host.Hostname,
            Version = version,
            IdleTimeout = own.Get(Options.ConsoleTimeout),
            Tls = own.Get(Options.TlsCertificate) is { } certificate ? Tls(certificate, own.Get(Options.TlsKey)) : null,
            Scram = scram.Text("uri") is { } scramUri ? Find(Users<ScramCredential>(scramUri, "scram://", ScramCredential.TryParse)) : null,
            Plain = plain.Text("uri") is { } plainUri ? Find(Users<StoredPassword>(plainUri, "file://", StoredPassword.TryParse)) : null,
            LogAuthentication = IsOn(scram) || IsOn(plain),
        };
        return For(null) with { ForClient = For };

        ControlListenerOptions For(System.Net.IPAddress? client)
        {
            var view = listen.For(client);
            return options with
            {
                AlwaysAllow = view.Get(Options.AlwaysAllow),
                AlwaysDeny = view.Get(Options.AlwaysDeny),
                Authorization = view.Get(Options.EnableAuthorization) ? authorization : null,
            };
        }
    }

    private static ControlAuthorization ReadAuthorization(ConfigurationSnapshot configuration, ValueDictionary parameters)
    {
        IReadOnlyList<KeyValuePair<string, IReadOnlyList<string>>> groups = [];
        if (parameters.Text("uri") is { } uri)
        {
            const string scheme = "groups://";
            if (!uri.StartsWith(scheme, StringComparison.OrdinalIgnoreCase))
                throw new IOException($"'{uri}' is not supported here; use {scheme} with the path of a file.");
            var (path, errors) = (uri[scheme.Length..], new List<string>());
            groups = ControlAuthorization.ParseGroups(File.ReadLines(path), path, errors);
            if (errors.Count > 0)
                throw new IOException(string.Join('\n', errors));
        }
        return new(Roles(configuration), groups);
    }

    /// <summary>The roles that a configuration defines, each with what it allows.</summary>
    internal static IEnumerable<KeyValuePair<string, IReadOnlyList<string>>> Roles(ConfigurationSnapshot configuration) =>
        configuration.Root.Children.Where(scope => scope.Kind == ScopeKinds.Authorization)
            .SelectMany(scope => scope.Children).Where(scope => scope.Kind == ScopeKinds.Role)
            .Select(role => KeyValuePair.Create(role.Instance, (IReadOnlyList<string>)[.. role.Get(Options.RoleAllow).Patterns.Select(pattern => pattern.Text)]));

    private static Func<string, TEntry?> Find<TEntry>(Dictionary<string, TEntry> users) where TEntry : class => user => users.GetValueOrDefault(user);

    private static Dictionary<string, TEntry> Users<TEntry>(string uri, string scheme, CredentialFile.EntryParser<TEntry> parse)
    {
        if (!uri.StartsWith(scheme, StringComparison.OrdinalIgnoreCase))
            throw new IOException($"'{uri}' is not supported here; use {scheme} with the path of a file.");
        var (path, errors) = (uri[scheme.Length..], new List<string>());
        var users = CredentialFile.Parse(File.ReadLines(path), parse, path, errors);
        return errors.Count == 0 ? users : throw new IOException(string.Join('\n', errors.Take(20)));
    }

    private static bool IsOn(ValueDictionary parameters) => parameters.Text("log_authentication") is { } text && text.ToLowerInvariant() is "true" or "yes" or "on" or "1";

    private static SslServerAuthenticationOptions Tls(string certificate, string? key)
    {
        using var pem = key is null ? X509Certificate2.CreateFromPemFile(certificate) : X509Certificate2.CreateFromPemFile(certificate, key);
        // Through PKCS #12, for a key straight from PEM is not usable by SslStream everywhere.
        var usable = X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
        var chain = new X509Certificate2Collection();
        chain.ImportFromPemFile(certificate);
        return new() { ServerCertificateContext = SslStreamCertificateContext.Create(usable, chain, offline: true) };
    }

    /// <summary>One socket; the server is there once it was committed.</summary>
    private sealed record Listener(Socket Socket, ControlListenerOptions Options, string? Path)
    {
        public StrongServer Server { get; } = new();

        public async Task CloseAsync()
        {
            if (Server.Value is { } server)
                await server.DisposeAsync();
            Socket.Dispose();
            if (Path is not null)
                File.Delete(Path);
        }
    }

    private sealed class StrongServer
    {
        public ControlServer? Value { get; set; }
    }

    private sealed class Prepared(ControlSockets sockets, Dictionary<string, Listener> next) : IPreparedConfiguration
    {
        public void Commit() => sockets.Commit(next);

        public ValueTask AbortAsync()
        {
            ControlSockets.Close(next.Values);
            return default;
        }
    }
}
