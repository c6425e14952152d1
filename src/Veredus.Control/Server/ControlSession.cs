using System.Net;

namespace Veredus.Control;

/// <summary>One console: who it is and what its commands keep between them.</summary>
public sealed class ControlSession : IAsyncDisposable
{
    private readonly Dictionary<Type, object> _state = [];

    /// <summary>The listener as configured: <c>*:2025</c>, a socket path.</summary>
    public required string Endpoint { get; init; }

    /// <summary><see langword="null"/> for a Unix socket.</summary>
    public IPEndPoint? Peer { get; init; }

    /// <summary>Empty until authenticated.</summary>
    public string User { get; internal set; } = "";

    /// <summary>The role that allowed the command being run; empty without authorization.</summary>
    public string Role { get; internal set; } = "";

    /// <summary>Whether commands of this session are checked against roles.</summary>
    public bool IsAuthorized { get; internal set; }

    /// <summary>The command came from another member of the cluster; its user and roles are those of the console there.</summary>
    public IReadOnlyList<string>? DelegatedRoles { get; private init; }

    /// <summary>A session for one command that another member delegates.</summary>
    /// <param name="origin">Name of the member where the command was given.</param>
    public static ControlSession Delegated(string origin, string user, IReadOnlyList<string> roles, bool isAuthorized) =>
        new() { Endpoint = $"cluster:{origin}", User = user, DelegatedRoles = roles, IsAuthorized = isAuthorized };

    /// <summary>What a group of commands keeps for this session; disposed with it (an open transaction rolls back).</summary>
    public T State<T>(Func<T> create) where T : class
    {
        if (!_state.TryGetValue(typeof(T), out var state))
            _state[typeof(T)] = state = create();
        return (T)state;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var state in _state.Values)
        {
            if (state is IAsyncDisposable asynchronous)
                await asynchronous.DisposeAsync();
            else
                (state as IDisposable)?.Dispose();
        }
        _state.Clear();
    }
}
