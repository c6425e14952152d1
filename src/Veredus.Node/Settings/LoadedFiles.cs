using System.Collections.Concurrent;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Veredus.Configuration;
using Veredus.Reception.Auth;
using Veredus.Reception.Policy;
using Veredus.Smtp;

namespace Veredus.Node.Settings;

/// <summary>What one configuration needs from files: certificates and users. Each file is read once, when the configuration is prepared.</summary>
/// <remarks>Trouble is collected in <see cref="Problems"/>; a configuration with problems is never taken into use.</remarks>
internal sealed class LoadedFiles(string hostname, TimeProvider time) : IInboundMaterial
{
    private readonly ConcurrentDictionary<TlsPlace, SmtpServerTls?> _tls = new();
    private readonly ConcurrentDictionary<string, PasswordStore?> _passwords = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, ScramStore?> _scram = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(string Scope, Rate Rate), RateGate> _gates = new();
    private readonly ConcurrentQueue<FileProblem> _problems = new();

    public string Hostname => hostname;

    public IReadOnlyCollection<FileProblem> Problems => _problems;

    /// <summary>Certificates in use.</summary>
    public IEnumerable<string> CertificateFiles => _tls.Keys.Select(place => place.Certificate);

    public SmtpServerTls? Tls(OptionView view)
    {
        var certificate = view.Resolve(Options.TlsCertificate);
        if (certificate.Value is not { } file)
            return null;
        var place = new TlsPlace(
            file, view.Get(Options.TlsKey), view.Get(Options.TlsClientCa), view.Get(Options.TlsProtocols), view.Get(Options.TlsCiphers), view.Get(Options.TlsVerifyMode));
        return _tls.GetOrAdd(place, key => Load(key, certificate.Position));
    }

    public PasswordStore? Passwords(string uri) =>
        _passwords.GetOrAdd(uri, key => ReadUsers<StoredPassword>(key, "file://", StoredPassword.TryParse) is { } users ? new(users) : null);

    public ScramStore? ScramSecrets(string uri) =>
        _scram.GetOrAdd(uri, key => ReadUsers<ScramCredential>(key, "scram://", ScramCredential.TryParse) is { } users ? new(users) : null);

    public RateGate? Throttle(Resolved<Rate> rate) =>
        rate.Value.IsUnlimited ? null : _gates.GetOrAdd((rate.ScopeId.Path, rate.Value), static (key, time) => new(key.Rate, time), time);

    /// <summary>Keeps the counters of throttles that did not change.</summary>
    public void TakeOverCounters(LoadedFiles earlier)
    {
        foreach (var (key, gate) in earlier._gates)
            _gates.TryAdd(key, gate);
    }

    private SmtpServerTls? Load(TlsPlace place, SourcePosition position)
    {
        var file = place.Certificate;
        try
        {
            using var certificate = place.Key is null ? X509Certificate2.CreateFromPemFile(place.Certificate) : X509Certificate2.CreateFromPemFile(place.Certificate, place.Key);
            // Through PKCS #12, for a key straight from PEM is not usable by SslStream everywhere.
            var usable = X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
            var chain = new X509Certificate2Collection();
            chain.ImportFromPemFile(place.Certificate);
            X509Certificate2Collection? roots = null;
            if (place.ClientCa is not null)
            {
                file = place.ClientCa;
                roots = [];
                roots.ImportFromPemFile(place.ClientCa);
            }

            file = $"tls_ciphers '{place.Ciphers}'";
            return new(SslStreamCertificateContext.Create(usable, chain, offline: true))
            {
                Protocols = place.Protocols,
                Ciphers = CipherNames.Policy(place.Ciphers),
                ClientCertificates = place.Mode switch
                {
                    ClientCertificateMode.None => ClientCertificates.Ignore,
                    ClientCertificateMode.Require => ClientCertificates.Require,
                    _ => ClientCertificates.CheckIfSent,
                },
                ClientRoots = roots,
            };
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            _problems.Enqueue(new(position, file, $"TLS cannot use {file}: {e.Message}"));
            return null;
        }
    }

    private Dictionary<string, TEntry>? ReadUsers<TEntry>(string uri, string scheme, CredentialFile.EntryParser<TEntry> parse)
    {
        var errors = new List<string>();
        Dictionary<string, TEntry>? users = null;
        if (!uri.StartsWith(scheme, StringComparison.OrdinalIgnoreCase))
        {
            errors.Add($"'{uri}' is not supported here; use {scheme} with the path of a file.");
        }
        else
        {
            try
            {
                var path = uri[scheme.Length..];
                users = CredentialFile.Parse(File.ReadLines(path), parse, path, errors);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                errors.Add($"Cannot read the users of {uri}: {e.Message}");
            }
        }

        foreach (var error in errors.Take(20))
            _problems.Enqueue(new(default, uri, error));
        return users;
    }

    private sealed record TlsPlace(string Certificate, string? Key, string? ClientCa, SslProtocols Protocols, string Ciphers, ClientCertificateMode Mode);
}

/// <summary>A file that a configuration names and that cannot be used.</summary>
/// <param name="Position">Of the setting; default when it is not known.</param>
internal sealed record FileProblem(SourcePosition Position, string Near, string Message);
