using System.Security.Cryptography;
using Veredus.Smtp;

namespace Veredus.Reception.Auth;

/// <summary>Users with passwords for AUTH PLAIN and LOGIN (<c>file://</c>), as they were at the last reload.</summary>
public sealed class PasswordStore(IReadOnlyDictionary<string, StoredPassword> users)
{
    // Checked for users that do not exist, so that the answer takes as long as for the others of the file.
    private readonly StoredPassword _decoy = users.Values.FirstOrDefault() ?? StoredPassword.Nobody;

    public int Count => users.Count;

    /// <summary>Whether the user exists and this is the password.</summary>
    public bool Check(string user, string password)
    {
        var exists = users.TryGetValue(user, out var stored);
        var matches = (stored ?? _decoy).Matches(password);
        return exists && matches;
    }
}

/// <summary>Users for SCRAM-SHA-256 (<c>scram://</c>), as they were at the last reload.</summary>
public sealed class ScramStore(IReadOnlyDictionary<string, ScramCredential> users)
{
    private static readonly byte[] ProcessSecret = RandomNumberGenerator.GetBytes(32);

    public int Count => users.Count;

    /// <summary>The user's credential, or one that nobody can prove.</summary>
    public ScramCredential Find(string user) => users.GetValueOrDefault(user) ?? ScramCredential.Nobody(user, ProcessSecret);

    /// <summary>Begins an exchange with one client.</summary>
    public ISaslExchange Begin() => new Exchange(new(Find, RandomNumberGenerator.GetBytes(24)));

    private sealed class Exchange(ScramServer server) : ISaslExchange
    {
        private bool _isFinal;

        public string User => server.User;

        public ValueTask<SaslStep> NextAsync(string message, CancellationToken cancellationToken)
        {
            var step = _isFinal ? server.Final(message) : server.First(message);
            _isFinal = true;
            return new(step.Message is null ? new SaslStep(null, AuthResult.Fail) : new(step.Message, step.IsDone ? AuthResult.Pass : null));
        }
    }
}
